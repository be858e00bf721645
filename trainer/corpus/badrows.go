package corpus

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/ranksweep/ranksweep/sweep/trial"
	"github.com/ranksweep/ranksweep/trainer/records"
)

// maxNamed is how many rows of a kind are named; all are counted.
const maxNamed = 10

// badRows are the rows that cannot be used.
type badRows struct {
	skip  bool // data.skip_bad_rows
	rows  int  // read, the bad ones among them
	n     int
	long  int      // of them, those that a larger sequence_length would let in
	first []string // what is wrong with the first of them
	only  error    // where it is one
}

// note counts a row. It returns the error where it is not about that row alone.
func (b *badRows) note(err error) error {
	if err != nil && !records.IsRowError(err) {
		return err
	}
	b.rows++
	if err == nil {
		return nil
	}
	if b.n++; b.n == 1 {
		b.only = err
	}
	if errors.Is(err, errTooLong) {
		b.long++
	}
	if len(b.first) < maxNamed {
		b.first = append(b.first, strings.TrimPrefix(err.Error(), trial.ErrInput.Error()+": "))
	}
	return nil
}

// err refuses bad rows unless they are to be skipped.
func (b *badRows) err() error {
	switch {
	case b.n > 1 && b.n == b.rows:
		return fmt.Errorf("%w: none of the %d rows can be used%s", trial.ErrInput, b.rows, b.list())
	case b.skip || b.n == 0:
		return nil
	case b.n == 1:
		return b.only
	}
	remedy := "mend them"
	if b.n == b.long {
		remedy = "raise data.sequence_length"
	}
	return fmt.Errorf("%w: %d of %d rows cannot be used; %s, or leave them out with data.skip_bad_rows: true%s", trial.ErrInput, b.n,
		b.rows, remedy, b.list())
}

// list names the first of the rows, a line each.
func (b *badRows) list() string {
	text := "\n  " + strings.Join(b.first, "\n  ")
	if more := b.n - len(b.first); more > 0 {
		text += fmt.Sprintf("\n  and %d more", more)
	}
	return text
}

// warnings says what was skipped.
func (b *badRows) warnings() []string {
	if b.n == 0 {
		return nil
	}
	return []string{fmt.Sprintf("data: %d of %d rows cannot be used and are left out (data.skip_bad_rows: true)%s", b.n, b.rows, b.list())}
}

// named lists the places of the first of n rows, each file once.
func named(places []string, n int) string {
	var b strings.Builder
	file := ""
	for i, place := range places {
		if i > 0 {
			b.WriteString(", ")
		}
		if rest, same := strings.CutPrefix(place, file); same && file != "" {
			place = rest
		} else if at := strings.LastIndexAny(place, ":,"); at > 0 {
			file = place[:at+1]
		}
		b.WriteString(strings.TrimSpace(place))
	}
	if more := n - len(places); more > 0 {
		fmt.Fprintf(&b, " and %d more", more)
	}
	return b.String()
}

// forms are what the rows of each key are made of.
type forms struct{ list []formRows }

// formRows are the rows of one form of one key.
type formRows struct {
	key     string
	form    records.Form
	columns []string
	rows    int
}

// note counts a row of a table.
func (f *forms) note(key string, doc records.Document) {
	if doc.Columns == nil {
		return
	}
	i := slices.IndexFunc(f.list, func(r formRows) bool { return r.key == key && r.form == doc.Form })
	if i < 0 {
		i = len(f.list)
		f.list = append(f.list, formRows{key: key, form: doc.Form})
	}
	r := &f.list[i]
	r.rows++
	for _, c := range doc.Columns {
		if !slices.Contains(r.columns, c) {
			r.columns = append(r.columns, c)
		}
	}
}

// lines says for each key what its rows are.
func (f *forms) lines(untemplated bool) []string {
	var lines []string
	for i, r := range f.list {
		text := fmt.Sprintf("%s (%s)", r.form, strings.Join(r.columns, ", "))
		if r.form == records.FormInstruction {
			if untemplated {
				text += ", written with Alpaca's prompt, for the model has no chat template"
			} else {
				text += ", written as chats by the model's template"
			}
		}
		if i > 0 && f.list[i-1].key == r.key {
			lines[len(lines)-1] += fmt.Sprintf("; %s of %s", rowCount(r.rows), text)
			continue
		}
		if i+1 < len(f.list) && f.list[i+1].key == r.key {
			text = fmt.Sprintf("%s of %s", rowCount(r.rows), text)
		}
		lines = append(lines, r.key+": "+text)
	}
	return lines
}

func rowCount(n int) string {
	if n == 1 {
		return "1 row"
	}
	return fmt.Sprintf("%d rows", n)
}
