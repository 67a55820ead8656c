// Package programs has tests answer for programs that a script calls, such as
// gcloud.
package programs

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"os"
	"path/filepath"
	"testing"
)

// tool is a program that sends its arguments to the test. It prints the answer's
// text and exits with its code.
const tool = `#!/usr/bin/env bash
exec 3<>/dev/tcp/%s/%s
for word in "${0##*/}" "$@"; do
  case $word in /dev/fd/* | /*.yaml) word=$(tr '\n' '|' <"$word") ;; esac # what the file has
  printf '%%s\n' "$word" >&3
done
echo . >&3
read -r code <&3
if [ "$code" -eq 0 ]; then exec cat <&3; fi
cat <&3 >&2
exit "$code"
`

// Dir returns a directory with programs of these names. Each prints what call
// returns for its name and arguments. An error is printed to stderr, and the
// program fails.
func Dir(t *testing.T, names []string, call func(args []string) (string, error)) string {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = ln.Close() })
	go func() {
		for {
			conn, err := ln.Accept()
			if err != nil {
				return
			}
			answer(conn, call)
		}
	}()
	host, port, err := net.SplitHostPort(ln.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	for _, name := range names {
		if err := os.WriteFile(filepath.Join(dir, name), fmt.Appendf(nil, tool, host, port), 0o700); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

// answer reads the arguments of a program from its connection, and answers with what call returns.
func answer(conn net.Conn, call func(args []string) (string, error)) {
	defer conn.Close()
	var args []string
	for lines := bufio.NewScanner(conn); lines.Scan() && lines.Text() != "."; {
		args = append(args, lines.Text())
	}
	out, err := call(args)
	if err != nil {
		fmt.Fprintf(conn, "1\nERROR: %v\n", err)
		return
	}
	_, _ = io.WriteString(conn, "0\n"+out)
}
