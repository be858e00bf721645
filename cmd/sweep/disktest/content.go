package disktest

import "slices"

const (
	pageBytes = 4096
	// sectorBytes is what disks write whole or not at all.
	sectorBytes = 512
)

// content is a file's bytes. A page is never changed, only replaced, so that a copy of the list is a copy of the bytes.
type content struct {
	pages []*[pageBytes]byte // nil for a hole
	size  int64
}

// change is a write or a truncation that no sync has made durable yet.
type change struct {
	order int64 // among all changes to the disk
	at    int64
	data  []byte
	size  int64 // to truncate to, where data is nil
}

func (c content) clone() content { return content{pages: slices.Clone(c.pages), size: c.size} }

func (c *content) apply(ch change) {
	if ch.data == nil {
		c.truncate(ch.size)
		return
	}
	c.write(ch.at, ch.data)
}

func (c *content) write(at int64, data []byte) {
	c.grow(at + int64(len(data)))
	for len(data) > 0 {
		i, from := at/pageBytes, at%pageBytes
		var fresh [pageBytes]byte
		if old := c.pages[i]; old != nil {
			fresh = *old
		}
		n := copy(fresh[from:], data)
		c.pages[i] = &fresh
		at, data = at+int64(n), data[n:]
	}
}

// grow makes the file at least size bytes long.
func (c *content) grow(size int64) {
	c.size = max(c.size, size)
	if missing := int((c.size+pageBytes-1)/pageBytes) - len(c.pages); missing > 0 {
		c.pages = append(c.pages, make([]*[pageBytes]byte, missing)...)
	}
}

func (c *content) truncate(size int64) {
	if size >= c.size {
		c.grow(size)
		return
	}
	c.pages = c.pages[:(size+pageBytes-1)/pageBytes]
	c.size = size
	if from := size % pageBytes; from > 0 { // what a later growth shows again must be zeros
		if old := c.pages[len(c.pages)-1]; old != nil {
			fresh := *old
			clear(fresh[from:])
			c.pages[len(c.pages)-1] = &fresh
		}
	}
}

// read fills buf from an offset and returns how much there was.
func (c content) read(buf []byte, at int64) int {
	n := int(min(int64(len(buf)), max(0, c.size-at)))
	clear(buf[:n])
	for done := 0; done < n; {
		i, from := (at+int64(done))/pageBytes, (at+int64(done))%pageBytes
		step := min(n-done, int(pageBytes-from))
		if p := c.pages[i]; p != nil {
			copy(buf[done:done+step], p[from:])
		}
		done += step
	}
	return n
}

func (c content) bytes() []byte {
	buf := make([]byte, c.size)
	c.read(buf, 0)
	return buf
}
