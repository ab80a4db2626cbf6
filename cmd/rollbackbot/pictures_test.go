package main_test

import (
	"image/png"
	"os"
	"path/filepath"
	"regexp"
	"testing"
)

// maxPictures is how much all pictures of the documentation may weigh together, in bytes: whoever clones the repository
// fetches them.
const maxPictures = 2_000_000

// Every picture that is shown is there and has words for who can't see it, and none is there that nobody shows.
func TestPictures(t *testing.T) {
	t.Parallel()
	const docs = "../../docs"
	content, err := os.ReadFile(filepath.Join(docs, "pictures.md"))
	if err != nil {
		t.Fatal(err)
	}
	shown := map[string]bool{}
	for _, m := range regexp.MustCompile(`<img src="(images/[^"]+)" width="\d+" alt="([^"]{20,})">`).FindAllStringSubmatch(string(content), -1) {
		shown[m[1]] = true
		file, err := os.Open(filepath.Join(docs, m[1]))
		if err != nil {
			t.Error(err)
			continue
		}
		if _, err := png.DecodeConfig(file); err != nil {
			t.Errorf("%s: %v", m[1], err)
		}
		_ = file.Close()
	}
	if n := len(regexp.MustCompile("<img").FindAll(content, -1)); n != len(shown) || n == 0 {
		t.Errorf("%d pictures, %d of them with a width and an alternative text", n, len(shown))
	}
	files, err := filepath.Glob(filepath.Join(docs, "images", "*.png"))
	if err != nil {
		t.Fatal(err)
	}
	total := int64(0)
	for _, file := range files {
		info, err := os.Stat(file)
		if err != nil {
			t.Fatal(err)
		}
		total += info.Size()
		name := "images/" + filepath.Base(file)
		if !shown[name] && name != "images/demo.png" && name != "images/error-rate.png" {
			t.Errorf("nobody shows %s", name)
		}
	}
	if total > maxPictures {
		t.Errorf("the pictures weigh %d bytes together, at most %d are allowed", total, maxPictures)
	}
}
