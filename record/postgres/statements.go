package postgres

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io/fs"
	"path"
	"slices"
	"strings"

	"github.com/jackc/pgx/v5"
)

// A statement is one file of SQL.
type statement struct {
	name     string
	sql      string   // with arguments as $1, $2, …
	args     []string // names of the arguments, in that order
	function string   // the name of the function that Migrate makes of it
}

// statements are all files of SQL, by name.
type statements map[string]statement

// loadStatements reads the embedded files. It panics if one cannot be read, but
// no test would pass then.
func loadStatements() statements {
	all := make(statements)
	names, err := fs.Glob(files, "sql/*.sql")
	if err != nil {
		panic(err)
	}
	for _, file := range names {
		text, err := fs.ReadFile(files, file)
		if err != nil {
			panic(err)
		}
		s := newStatement(strings.TrimSuffix(path.Base(file), ".sql"), string(text))
		all[s.name] = s
	}
	return all
}

// newStatement makes a statement of a file's text. The function's name is a
// hash of the text and of its settings, so that two versions of this program
// can share one schema. A migration that changes the type of a column must also
// change the texts of the statements that return it, because a function keeps
// its types.
func newStatement(name, text string) statement {
	text = withoutHeader(text)
	sum := sha256.Sum256([]byte(functionSettings() + text))
	s := statement{name: name, function: functionPrefix + name + "_" + hex.EncodeToString(sum[:6])}
	sql, args, err := pgx.NamedArgs(namesOf(text)).RewriteQuery(context.Background(), nil, text, nil)
	if err != nil {
		panic(fmt.Errorf("postgres: statement %s: %w", name, err))
	}
	s.sql = sql
	for _, arg := range args {
		s.args = append(s.args, arg.(string))
	}
	return s
}

// withoutHeader returns the text without the comment that it begins with.
func withoutHeader(text string) string {
	for strings.HasPrefix(text, "--") {
		_, text, _ = strings.Cut(text, "\n")
	}
	return strings.TrimSpace(text)
}

// namesOf returns the names of the arguments in a text, each with its name as
// its value.
func namesOf(text string) map[string]any {
	names := make(map[string]any)
	for _, part := range strings.Split(text, "@")[1:] {
		end := strings.IndexFunc(part, func(r rune) bool {
			return r != '_' && (r < 'a' || r > 'z') && (r < '0' || r > '9')
		})
		if end < 0 {
			end = len(part)
		}
		names[part[:end]] = part[:end]
	}
	return names
}

// values returns the arguments of the statement in their order.
func (s statement) values(args pgx.NamedArgs) []any {
	values := make([]any, len(s.args))
	for i, name := range s.args {
		values[i] = args[name]
	}
	return values
}

// call returns the SQL that calls the statement's function.
func (s statement) call() string {
	places := make([]string, len(s.args))
	for i := range places {
		places[i] = fmt.Sprintf("$%d", i+1)
	}
	//nolint:unqueryvet // a function returns what it was made to return
	return "SELECT * FROM " + s.function + "(" + strings.Join(places, ", ") + ")"
}

// sorted returns the statements by name.
func (all statements) sorted() []statement {
	var list []statement
	for _, s := range all {
		list = append(list, s)
	}
	slices.SortFunc(list, func(a, b statement) int { return strings.Compare(a.name, b.name) })
	return list
}
