package main

import (
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"unicode/utf8"

	"golang.org/x/crypto/bcrypt"
	"golang.org/x/term"
)

const (
	// hashCost makes a comparison take about a quarter of a second.
	hashCost = 12
	// leastPassword is how many characters a password must have. Guessing is
	// slowed down, and not impossible.
	leastPassword = 12
	// mostPassword is how many bytes bcrypt goes by.
	mostPassword = 72
)

// password reads a password, from a terminal without showing it, and prints the
// hash of it for DASHBOARD_USERS.
func password(stdin io.Reader, stdout, stderr io.Writer) error {
	text, err := readPassword(stdin, stderr)
	if err != nil {
		return err
	}
	hash, err := hashPassword(text)
	if err != nil {
		return err
	}
	_, err = fmt.Fprintln(stdout, hash)
	return err
}

// readPassword asks for a password twice if there is a terminal. Otherwise it reads
// one line.
func readPassword(stdin io.Reader, stderr io.Writer) (string, error) {
	terminal, ok := stdin.(*os.File)
	if !ok || !term.IsTerminal(int(terminal.Fd())) {
		text, err := io.ReadAll(io.LimitReader(stdin, 4<<10))
		line := strings.TrimRight(string(text), "\r\n")
		if strings.ContainsAny(line, "\r\n") {
			return "", errors.New("the password must be one line")
		}
		return line, err
	}
	var typed [2]string
	for i, prompt := range []string{"Password: ", "Once more: "} {
		fmt.Fprint(stderr, prompt)
		text, err := term.ReadPassword(int(terminal.Fd()))
		fmt.Fprintln(stderr)
		if err != nil {
			return "", fmt.Errorf("the password cannot be read: %w", err)
		}
		typed[i] = string(text)
	}
	if typed[0] != typed[1] {
		return "", errors.New("these are two passwords: type the same one twice")
	}
	return typed[0], nil
}

// hashPassword returns the hash of a password that is good enough.
func hashPassword(text string) (string, error) {
	switch {
	case !utf8.ValidString(text):
		return "", errors.New("the password must be text in UTF-8")
	case utf8.RuneCountInString(text) < leastPassword:
		return "", fmt.Errorf("the password must have at least %d characters; `openssl rand -base64 18` makes a good one", leastPassword)
	case len(text) > mostPassword:
		return "", fmt.Errorf("the password must have at most %d bytes: what is beyond would not count", mostPassword)
	}
	hash, err := bcrypt.GenerateFromPassword([]byte(text), hashCost)
	return string(hash), err
}
