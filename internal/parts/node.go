package parts

import (
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
)

// leastNode is the major version of Node that @slack/bolt 5 asks for in its package.json, "engines".
const leastNode = 20

// nodeVariable overrides the folder in which `make parts` installs Node packages.
const nodeVariable = "ROLLBACKBOT_PARTS_NODE"

// Bolt is the node binary to run Slack's official client with and the node_modules folder that holds it. It ends the
// test as missing its part where either is not there, or Node is older than 20.
func Bolt(tb testing.TB) (nodeBinary, nodeModules string) {
	tb.Helper()
	uncached()
	nodeBinary, nodeModules, err := findBolt()
	if err != nil {
		missing(tb, "Slack's client @slack/bolt on Node", err.Error())
	}
	return nodeBinary, nodeModules
}

// GitHub is the node binary to run Vercel's emulator of GitHub with, the package emulate, and the node_modules folder that
// holds it. It ends the test as missing its part as Bolt does.
func GitHub(tb testing.TB) (nodeBinary, nodeModules string) {
	tb.Helper()
	uncached()
	nodeBinary, nodeModules, err := findNode("emulate")
	if err != nil {
		missing(tb, "the emulator of GitHub on Node, emulate", err.Error())
	}
	return nodeBinary, nodeModules
}

// SlackTypes is the node binary and the node_modules folder that holds Slack's types of messages, @slack/types, and the
// compiler of TypeScript that checks them. It ends the test as missing its part as Bolt does.
func SlackTypes(tb testing.TB) (nodeBinary, nodeModules string) {
	tb.Helper()
	uncached()
	nodeBinary, nodeModules, err := findNode("typescript")
	if err == nil {
		_, _, err = findNode("@slack", "types")
	}
	if err != nil {
		missing(tb, "Slack's types @slack/types and TypeScript on Node", err.Error())
	}
	return nodeBinary, nodeModules
}

func findBolt() (nodeBinary, nodeModules string, err error) { return findNode("@slack", "bolt") }

// findNode finds a Node package and what runs it.
func findNode(words ...string) (nodeBinary, nodeModules string, err error) {
	folder, err := nodeFolder()
	if err != nil {
		return "", "", err
	}
	nodeModules = filepath.Join(folder, "node_modules")
	if _, err := os.Stat(filepath.Join(nodeModules, filepath.Join(words...), "package.json")); err != nil {
		return "", "", fmt.Errorf("not in %s", nodeModules)
	}
	// A node installed beside the packages comes first: Debian 12's own is version 18.
	nodeBinary = program(filepath.Join(nodeModules, ".bin", "node"))
	if nodeBinary == "" {
		nodeBinary = program("node")
	}
	if nodeBinary == "" {
		return "", "", fmt.Errorf("no node found on PATH")
	}
	version, err := ask(nodeBinary, "--version")
	if err != nil {
		return "", "", err
	}
	return nodeBinary, nodeModules, nodeNewEnough(version)
}

// nodeFolder is where the Node packages are.
func nodeFolder() (string, error) {
	if folder := os.Getenv(nodeVariable); folder != "" {
		return folder, nil
	}
	cache, err := os.UserCacheDir()
	if err != nil {
		return "", err
	}
	return filepath.Join(cache, "rollbackbot", "node"), nil
}

func nodeNewEnough(version string) error {
	major, _, _ := strings.Cut(strings.TrimPrefix(version, "v"), ".")
	number, err := strconv.Atoi(major)
	if err != nil {
		return fmt.Errorf("node's version %q is not understood", version)
	}
	if number < leastNode {
		return fmt.Errorf("node %s is older than %d", version, leastNode)
	}
	return nil
}
