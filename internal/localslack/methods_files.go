package localslack

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"path"
	"strings"
)

// maxFile bounds one upload. Slack takes 1 GB; everything here stays in memory.
const maxFile = 32 << 20

// storedFile is a file on its way or there.
type storedFile struct {
	File
	secret   string // of the upload URL
	length   int    // as announced
	uploaded bool
	shared   bool
}

// filesGetUploadURL begins an upload: https://docs.slack.dev/messaging/working-with-files#uploading_files
func (s *Server) filesGetUploadURL(a args) (object, error) {
	name, length := a.str("filename"), a.number("length", 0)
	if name == "" || length <= 0 {
		return nil, fail("invalid_arguments")
	}
	if length > maxFile {
		return nil, fail("file_upload_size_restricted")
	}
	f := &storedFile{File: File{ID: s.world.newID("F"), Name: path.Base(name), Title: path.Base(name)}, secret: randomHex(16), length: length}
	s.world.files[f.ID] = f
	return object{"upload_url": s.URL() + "/upload/" + f.secret, "file_id": f.ID}, nil
}

// serveUpload takes a file's bytes, as a multipart form or bare. The URL is the permission.
func (s *Server) serveUpload(w http.ResponseWriter, r *http.Request) {
	call, index := s.record("upload", args{})
	f := s.faultFor(call)
	if f != nil {
		if over, status, code := s.spoil(f, w, r); over {
			s.recordEnd(index, status, code)
			return
		}
	}
	status, text := http.StatusOK, ""
	content, err := uploadedBytes(w, r)
	if err != nil {
		status, text = http.StatusBadRequest, "upload_failed"
	} else if text, err = s.keepUpload(r.PathValue("secret"), content); err != nil {
		status, text = http.StatusBadRequest, err.Error()
	}
	if f != nil && f.LoseAnswer {
		resetConnection(w)
		s.recordEnd(index, 0, "")
		return
	}
	w.WriteHeader(status)
	_, _ = io.WriteString(w, text)
	s.recordEnd(index, status, "")
}

func uploadedBytes(w http.ResponseWriter, r *http.Request) ([]byte, error) {
	r.Body = http.MaxBytesReader(w, r.Body, maxFile+maxBody)
	if !strings.HasPrefix(r.Header.Get("Content-Type"), "multipart/form-data") {
		return io.ReadAll(r.Body)
	}
	if err := r.ParseMultipartForm(maxFile); err != nil {
		return nil, err
	}
	for _, headers := range r.MultipartForm.File {
		part, err := headers[0].Open()
		if err != nil {
			return nil, err
		}
		defer part.Close()
		return io.ReadAll(part)
	}
	return nil, http.ErrMissingFile
}

func (s *Server) keepUpload(secret string, content []byte) (string, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, f := range s.world.files {
		if f.secret != secret || f.uploaded {
			continue
		}
		if len(content) != f.length {
			return "", fail("invalid_file_size")
		}
		f.Content, f.uploaded = bytes.Clone(content), true
		f.MIME = http.DetectContentType(content)
		return fmt.Sprintf("OK - %d", len(content)), nil
	}
	return "", fail("upload_url_not_found")
}

// filesCompleteUpload shares uploaded files as one message, if it says where.
func (s *Server) filesCompleteUpload(a args) (object, error) {
	var wanted []struct{ ID, Title string }
	if json.Unmarshal(a.json("files"), &wanted) != nil || len(wanted) == 0 {
		return nil, fail("invalid_arguments")
	}
	var files []File
	for _, want := range wanted {
		f := s.world.files[want.ID]
		if f == nil || !f.uploaded || f.shared {
			return nil, fail("file_not_found")
		}
		f.Title = orDefault(want.Title, f.Title)
		files = append(files, f.File)
	}
	for _, target := range shareTargets(a) {
		if err := s.shareFiles(target, files, a); err != nil {
			return nil, err
		}
	}
	for _, f := range files {
		s.world.files[f.ID].shared = true
	}
	return object{"files": s.world.slackFiles(files)}, nil
}

// shareTargets are the channels that a call names in either of the two ways.
func shareTargets(a args) []string {
	var out []string
	for _, id := range append(strings.Split(a.str("channels"), ","), a.str("channel_id")) {
		if id != "" {
			out = append(out, id)
		}
	}
	return out
}

func (s *Server) shareFiles(target string, files []File, a args) error {
	c, err := s.writable(target)
	if err != nil {
		return err
	}
	blocks, err := s.checkedBlocks(a.json("blocks"), surfaceMessage, "invalid_blocks")
	if err != nil {
		return err
	}
	m := s.newBotMessage(c.ID, content{text: cutRunes(a.str("initial_comment"), maxPostRunes), blocks: blocks})
	m.Files = files
	if err := s.putInThread(c, m, a); err != nil {
		return err
	}
	c.messages = append(c.messages, m)
	return nil
}
