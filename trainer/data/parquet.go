package data

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"iter"
	"math"
	"os"
	"slices"
	"strings"

	"github.com/parquet-go/parquet-go"

	"github.com/ranksweep/ranksweep/sweep/trial"
)

// parquet yields the rows of a parquet file. Only the columns of record are read, a page at a time.
func (in input) parquet(ctx context.Context) iter.Seq2[document, error] {
	return func(yield func(document, error) bool) {
		f, err := os.Open(in.name)
		if err != nil {
			yield(document{}, missing(in.name, err))
			return
		}
		defer f.Close() //nolint:errcheck // only read
		stopped := false
		err = in.parquetRows(ctx, f, func(doc document) bool {
			stopped = !yield(doc, nil)
			return !stopped
		})
		if err == nil && !stopped && in.key != "" {
			var key string
			if key, _, err = hashFile(ctx, in.name); err == nil && key != in.key {
				err = in.changed()
			}
		}
		if err != nil && !stopped {
			yield(document{}, err)
		}
	}
}

// parquetRows hands the rows of a file to emit until it says stop.
func (in input) parquetRows(ctx context.Context, f *os.File, emit func(document) bool) error {
	bad := func(place string, err error) error {
		return fmt.Errorf("%w: data file %s%s: %w", trial.ErrInput, in.name, place, err)
	}
	file, err := openParquet(f, in.size)
	if err != nil {
		return bad("", err)
	}
	columns, err := recordColumns(file.Schema())
	if err != nil {
		return bad("", err)
	}
	more := true
	row, size := 0, in.size/max(1, file.NumRows())
	for i, group := range file.RowGroups() {
		readers, err := in.openColumns(f, file, i, group, columns)
		if err != nil {
			return bad(fmt.Sprintf(", row group %d", i+1), err)
		}
		for range group.NumRows() {
			place := fmt.Sprintf(", row %d", row+1)
			if err := ctx.Err(); err != nil {
				return err
			}
			doc, err := readRecord(readers)
			if err != nil {
				return bad(place, err)
			}
			doc.place, doc.size = in.name+place, size
			row++
			if more = emit(doc); !more {
				break
			}
		}
		for _, r := range readers {
			r.close()
		}
		if !more {
			return nil
		}
	}
	return nil
}

// openParquet checks a file's metadata and reads it. The library panics on some damaged files.
func openParquet(f *os.File, size int64) (file *parquet.File, err error) {
	defer recovered(&err)
	if err := checkFooter(f, size); err != nil {
		return nil, err
	}
	file, err = parquet.OpenFile(f, size, parquet.SkipPageIndex(true), parquet.SkipBloomFilters(true))
	return file, shortened(err)
}

// recovered turns a panic of the library into an error about the file.
func recovered(err *error) {
	if p := recover(); p != nil {
		*err = fmt.Errorf("damaged: %v", p)
	}
}

// leaf is one column of a file that record has a field for.
type leaf struct {
	field  string // of record
	key    string // of a message; empty where the column holds no messages
	index  int    // among the file's leaves
	path   string
	text   bool // else token ids
	levels levels
	item   int // the definition level from which on a list has an entry
}

// recordColumns finds the columns of record in a schema and checks their types.
func recordColumns(schema *parquet.Schema) (leaves []leaf, err error) {
	defer recovered(&err)
	var names []string
	for _, field := range schema.Fields() {
		names = append(names, field.Name())
	}
	form := tableForm(names)
	if len(form) == 0 {
		return nil, fmt.Errorf("no column to train on (columns: %s): want %s", cut(strings.Join(names, ", ")), wantedColumns)
	}
	for _, path := range schema.Columns() {
		if !slices.Contains(form, path[0]) {
			continue
		}
		l, err := newLeaf(schema, path)
		if err != nil {
			return nil, fmt.Errorf("column %s: %w", cut(strings.Join(path, ".")), err)
		}
		leaves = append(leaves, l)
	}
	return leaves, nil
}

// tableForm returns the columns that count, of those that are there: as record.document chooses.
func tableForm(names []string) []string {
	for _, form := range [][]string{{"input_ids"}, {"messages"}, {"prompt", "completion"}, {"text"}} {
		if !slices.ContainsFunc(form, func(name string) bool { return !slices.Contains(names, name) }) {
			if form[0] == "input_ids" {
				form = append(form, "labels", "attention_mask")
			}
			return form
		}
	}
	return nil
}

func newLeaf(schema *parquet.Schema, path []string) (leaf, error) {
	column, ok := schema.Lookup(path...)
	if !ok {
		return leaf{}, errThrift
	}
	kind := column.Node.Type().Kind()
	l := leaf{
		field: path[0], index: column.ColumnIndex, path: cut(strings.Join(path, ".")), text: kind == parquet.ByteArray,
		levels: levels{column.MaxRepetitionLevel, column.MaxDefinitionLevel},
	}
	list := l.levels.repetition > 0
	if l.levels.repetition > 1 {
		return leaf{}, errors.New("a list within a list is not supported: write it as jsonl")
	}
	switch l.field {
	case "text", "prompt", "completion", "messages":
		var below []string
		l.item, below = listOf(schema, path)
		plain, chat := !list && len(below) == 0 && l.field != "messages", list && 0 < len(below) && len(below) < 3 && l.field != "text"
		if !l.text || !plain && !chat {
			return leaf{}, errors.New("not text, nor a list of messages with texts only (role, content): write what is nested as jsonl")
		}
		if chat {
			l.key = below[len(below)-1]
		}
	default:
		l.item, _ = listOf(schema, path)
		if kind != parquet.Int32 && kind != parquet.Int64 || !list {
			return leaf{}, errors.New("not a list of whole numbers")
		}
	}
	return l, nil
}

// listOf returns the definition level from which on the list of a path has an entry, and the names below its repeated node.
func listOf(schema *parquet.Schema, path []string) (level int, below []string) {
	node := parquet.Node(schema)
	for depth, name := range path {
		i := slices.IndexFunc(node.Fields(), func(f parquet.Field) bool { return f.Name() == name })
		node = node.Fields()[i]
		if node.Optional() || node.Repeated() {
			level++
		}
		if node.Repeated() {
			return level, path[depth+1:]
		}
	}
	return level, path[1:]
}

// openColumns checks the pages of a row group's columns and opens them.
func (in input) openColumns(f *os.File, file *parquet.File, group int, rows parquet.RowGroup, columns []leaf) (readers []*columnReader, err error) {
	defer recovered(&err)
	chunks := file.Metadata().RowGroups[group].Columns
	for _, l := range columns {
		if l.index >= len(chunks) {
			return nil, errThrift
		}
		if err := checkChunk(f, in.size, &chunks[l.index].MetaData, l.levels); err != nil {
			return nil, fmt.Errorf("column %s: %w", l.path, err)
		}
		readers = append(readers, &columnReader{leaf: l, pages: rows.ColumnChunks()[l.index].Pages()})
	}
	return readers, nil
}

// columnReader reads one column of a row group, a row at a time.
type columnReader struct {
	leaf
	pages  parquet.Pages
	page   parquet.Page
	values parquet.ValueReader
	buf    [64]parquet.Value
	ready  []parquet.Value // of buf, not used yet
}

// fill reads more values; it fails with io.EOF at the end.
func (c *columnReader) fill() error {
	for len(c.ready) == 0 {
		if c.values != nil {
			n, err := c.values.ReadValues(c.buf[:])
			c.ready = c.buf[:n]
			if err == nil || n > 0 {
				continue
			}
			if !errors.Is(err, io.EOF) {
				return err
			}
			parquet.Release(c.page)
			c.values = nil
		}
		page, err := c.pages.ReadPage()
		if err != nil {
			return err
		}
		c.page, c.values = page, page.Values()
	}
	return nil
}

// row hands the values of the next row to add: one, or those of a list.
func (c *columnReader) row(add func(parquet.Value) error) error {
	for first := true; ; first = false {
		err := c.fill()
		if errors.Is(err, io.EOF) && !first {
			return nil
		}
		if errors.Is(err, io.EOF) {
			err = fmt.Errorf("%w: fewer rows than it says", errThrift)
		}
		if err != nil {
			return err
		}
		v := c.ready[0]
		if (v.RepetitionLevel() == 0) != first {
			if first {
				return errThrift
			}
			return nil
		}
		c.ready = c.ready[1:]
		if err := add(v); err != nil {
			return err
		}
	}
}

func (c *columnReader) close() {
	if c.values != nil {
		parquet.Release(c.page)
	}
	c.pages.Close() //nolint:errcheck,gosec // only read
}

// readRecord reads the next row of all columns.
func readRecord(columns []*columnReader) (doc document, err error) {
	defer recovered(&err)
	var r record
	chats := map[string][]map[string]string{} // messages by field
	for _, c := range columns {
		if c.key == "" {
			err = c.readInto(&r)
		} else {
			err = c.addTo(chats)
		}
		if err != nil {
			return document{}, fmt.Errorf("column %s: %w", c.path, err)
		}
	}
	for field, chat := range chats {
		messages, err := messagesOf(chat)
		if err != nil {
			return document{}, fmt.Errorf("column %s: %w", field, err)
		}
		switch field {
		case "messages":
			r.Messages = messages
		case "prompt":
			r.Prompt = &turns{messages: messages}
		default:
			r.Completion = &turns{messages: messages}
		}
	}
	return r.document(func() []string {
		var names []string
		for _, c := range columns {
			names = append(names, c.path)
		}
		return names
	})
}

// addTo reads one key of a row's messages. A list that is null adds nothing.
func (c *columnReader) addTo(chats map[string][]map[string]string) error {
	i := 0
	return c.row(func(v parquet.Value) error {
		if v.DefinitionLevel() < c.item {
			if v.DefinitionLevel() == c.item-1 && chats[c.field] == nil {
				chats[c.field] = []map[string]string{}
			}
			return nil
		}
		if i == len(chats[c.field]) {
			chats[c.field] = append(chats[c.field], map[string]string{})
		}
		i++
		if v.IsNull() {
			return nil
		}
		text, err := textOf(v)
		chats[c.field][i-1][c.key] = text
		return err
	})
}

// messagesOf reads messages as jsonl has them.
func messagesOf(chat []map[string]string) ([]Message, error) {
	body, err := json.Marshal(chat)
	if err != nil {
		return nil, err
	}
	messages := []Message{}
	return messages, json.Unmarshal(body, &messages)
}

func (c *columnReader) readInto(r *record) error {
	if c.text {
		return c.row(func(v parquet.Value) error {
			if v.IsNull() {
				return nil
			}
			text, err := textOf(v)
			switch c.field {
			case "text":
				r.Text = &text
			case "prompt":
				r.Prompt = &turns{text: text}
			default:
				r.Completion = &turns{text: text}
			}
			return err
		})
	}
	var ids []int32
	null := false
	err := c.row(func(v parquet.Value) error {
		if v.DefinitionLevel() < c.item {
			null = v.DefinitionLevel() < c.item-1
			return nil
		}
		id, err := idOf(v)
		ids = append(ids, id)
		return err
	})
	if null || err != nil {
		return err
	}
	switch c.field {
	case "input_ids":
		r.InputIDs = &ids
	case "labels":
		r.Labels = &ids
	default:
		r.AttentionMask = ids
	}
	return nil
}

func textOf(v parquet.Value) (string, error) {
	b := v.ByteArray()
	if len(b) > maxRecord {
		return "", errLong
	}
	return string(b), checkText(b)
}

func idOf(v parquet.Value) (int32, error) {
	if v.IsNull() {
		return 0, errors.New("null among the numbers")
	}
	n := v.Int64()
	if v.Kind() == parquet.Int32 {
		n = int64(v.Int32())
	}
	if n < math.MinInt32 || n > math.MaxInt32 {
		return 0, fmt.Errorf("%d is no token id", n)
	}
	return int32(n), nil
}
