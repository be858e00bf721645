package store

import (
	"database/sql"
	"encoding/json"
	"fmt"
	"time"
)

// unixNano returns t as stored: UTC nanoseconds since 1970, 0 for the zero time.
func unixNano(t time.Time) int64 {
	if t.IsZero() {
		return 0
	}
	return t.UnixNano()
}

// timeOf is the inverse of unixNano.
func timeOf(ns int64) time.Time {
	if ns == 0 {
		return time.Time{}
	}
	return time.Unix(0, ns).UTC()
}

// encode returns v as JSON text for a column.
func encode(v any) (string, error) {
	b, err := json.Marshal(v)
	if err != nil {
		return "", fmt.Errorf("encode %T: %w", v, err)
	}
	return string(b), nil
}

// encodeList is encode for slices; nil becomes an empty list.
func encodeList[T any](v []T) (string, error) {
	if v == nil {
		v = []T{}
	}
	return encode(v)
}

// decode reads a JSON column into v.
func decode(column, text string, v any) error {
	if err := json.Unmarshal([]byte(text), v); err != nil {
		return fmt.Errorf("decode column %s: %w", column, err)
	}
	return nil
}

// decodeList reads a JSON list; an empty one becomes nil.
func decodeList[T any](column, text string) ([]T, error) {
	var v []T
	if err := decode(column, text, &v); err != nil {
		return nil, err
	}
	if len(v) == 0 {
		return nil, nil
	}
	return v, nil
}

// pointer returns the column's value, nil for NULL.
func pointer[T any](v sql.Null[T]) *T {
	if !v.Valid {
		return nil
	}
	return &v.V
}

// each calls scan for every row and closes rows.
func each(rows *sql.Rows, err error, scan func(*sql.Rows) error) error {
	if err != nil {
		return err
	}
	defer rows.Close() //nolint:errcheck // Err has every error there is
	for rows.Next() {
		if err := scan(rows); err != nil {
			return err
		}
	}
	return rows.Err()
}

// once keeps what texts that many rows share were read as, so that it is decoded once and lies in memory once.
type once[T any] map[string]T

// decode is decode for a column that many rows share. The values share their slices: they are not to be changed.
func (o once[T]) decode(column, text string) (T, error) {
	v, ok := o[text]
	if ok {
		return v, nil
	}
	if err := decode(column, text, &v); err != nil {
		return v, err
	}
	o[text] = v
	return v, nil
}

// shared holds one copy of each text.
type shared map[string]string

func (s shared) text(t string) string {
	if known, ok := s[t]; ok {
		return known
	}
	s[t] = t
	return t
}
