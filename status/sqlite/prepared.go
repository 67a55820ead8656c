package sqlite

import (
	"context"
	"database/sql/driver"

	"modernc.org/sqlite"
)

// A connector opens connections that keep their statements. There are a few
// dozen of them, and SQLite takes longer to prepare most than to run them.
type connector struct {
	driver sqlite.Driver
	source string
}

// Connect implements driver.Connector.
func (c *connector) Connect(context.Context) (driver.Conn, error) {
	opened, err := c.driver.Open(c.source)
	if err != nil {
		return nil, err
	}
	return &preparedConn{conn: opened.(conn), idle: map[string]*preparedStmt{}}, nil
}

// Driver implements driver.Connector.
func (c *connector) Driver() driver.Driver { return &c.driver }

// A conn is what of a connection database/sql is to use. What would run a
// statement that is not prepared is left out.
type conn interface {
	driver.ConnBeginTx
	driver.ConnPrepareContext
	driver.SessionResetter
	driver.Validator

	Prepare(query string) (driver.Stmt, error)
	Begin() (driver.Tx, error)
	Close() error
}

type preparedConn struct {
	conn

	idle map[string]*preparedStmt
}

// PrepareContext implements driver.ConnPrepareContext. A statement is one
// caller's at a time.
func (c *preparedConn) PrepareContext(ctx context.Context, query string) (driver.Stmt, error) {
	if s, ok := c.idle[query]; ok {
		delete(c.idle, query)
		return s, nil
	}
	s, err := c.conn.PrepareContext(ctx, query)
	if err != nil {
		return nil, err
	}
	return &preparedStmt{stmt: s.(stmt), conn: c, query: query}, nil
}

// Close closes the statements with the connection.
func (c *preparedConn) Close() error {
	for _, s := range c.idle {
		_ = s.stmt.Close() // the connection's own error tells
	}
	return c.conn.Close()
}

// A stmt is a statement that heeds contexts and named arguments.
type stmt interface {
	driver.Stmt
	driver.StmtExecContext
	driver.StmtQueryContext
}

type preparedStmt struct {
	stmt

	conn  *preparedConn
	query string
}

// Close keeps the statement for the next caller.
func (s *preparedStmt) Close() error {
	if _, another := s.conn.idle[s.query]; another {
		return s.stmt.Close()
	}
	s.conn.idle[s.query] = s
	return nil
}
