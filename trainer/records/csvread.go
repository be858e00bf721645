package records

import (
	"bufio"
	"errors"
	"fmt"
	"io"
)

// csvReader reads records of csv as RFC 4180 and pandas have it: a quote counts at the beginning of a cell only, so that a cell may
// have quotes within it, which encoding/csv refuses. Line ends within quotes become \n, and empty lines are skipped, as there.
type csvReader struct {
	r         *bufio.Reader
	separator byte
	line      int   // of the next byte, from 1
	bytes     int64 // so far
	start     int   // the line on which the last record began
	size      int   // bytes of the record
	cell      []byte
}

func newCSVReader(r io.Reader, separator byte) *csvReader {
	return &csvReader{r: bufio.NewReaderSize(r, headSize), separator: separator, line: 1}
}

// byte consumes a byte; a line end is \n, however it is written.
func (c *csvReader) byte() (byte, error) {
	b, err := c.r.ReadByte()
	if err != nil {
		return 0, err
	}
	c.bytes++
	if c.size++; c.size > maxRecord {
		return 0, errLong
	}
	if b == '\r' {
		next, err := c.r.Peek(1)
		if errors.Is(err, io.EOF) {
			return 0, io.EOF // a last line without \n
		}
		if err != nil {
			return 0, err
		}
		if next[0] != '\n' {
			return b, nil
		}
		c.bytes++
		b, _ = c.r.ReadByte()
	}
	if b == '\n' {
		c.line++
	}
	return b, nil
}

// record returns the cells of the next record; io.EOF where there is none.
func (c *csvReader) record() (cells []string, err error) {
	c.size = 0
	for {
		c.start = c.line
		b, err := c.byte()
		if err != nil {
			return nil, err
		}
		if b == '\n' {
			continue
		}
		for {
			var end byte
			c.cell = c.cell[:0]
			if b == '"' {
				end, err = c.quoted(len(cells) + 1)
			} else {
				end, err = c.plain(b)
			}
			if err != nil {
				return nil, err
			}
			cells = append(cells, string(c.cell))
			if end == '\n' {
				return cells, nil
			}
			if b, err = c.byte(); errors.Is(err, io.EOF) {
				b = '\n' // an empty last cell
			} else if err != nil {
				return nil, err
			}
		}
	}
}

// plain reads a cell without quotes around it, and returns what ends it.
func (c *csvReader) plain(b byte) (end byte, err error) {
	for {
		if b == c.separator || b == '\n' {
			return b, nil
		}
		c.cell = append(c.cell, b)
		b, err = c.byte()
		if errors.Is(err, io.EOF) {
			return '\n', nil
		}
		if err != nil {
			return 0, err
		}
	}
}

// quoted reads the rest of a cell in quotes, and returns what ends it.
func (c *csvReader) quoted(number int) (end byte, err error) {
	for {
		b, err := c.byte()
		if errors.Is(err, io.EOF) {
			return 0, fmt.Errorf("a quote opens cell %d of the row and is never closed", number)
		}
		if err != nil {
			return 0, err
		}
		if b != '"' {
			c.cell = append(c.cell, b)
			continue
		}
		b, err = c.byte()
		switch {
		case errors.Is(err, io.EOF):
			return '\n', nil
		case err != nil:
			return 0, err
		case b == c.separator || b == '\n':
			return b, nil
		case b != '"':
			return 0, c.skipLine(b, number)
		}
		c.cell = append(c.cell, '"')
	}
}

// skipLine goes to the end of the line after a quote that does not end its cell.
func (c *csvReader) skipLine(b byte, number int) error {
	for b != '\n' {
		var err error
		if b, err = c.byte(); errors.Is(err, io.EOF) {
			break
		} else if err != nil {
			return err
		}
	}
	return badRow(fmt.Errorf("cell %d goes on after its closing quote: double the quotes within a cell, and leave no space after the last",
		number))
}
