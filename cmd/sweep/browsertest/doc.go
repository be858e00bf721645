// Package browsertest opens pages in a real headless browser, for tests.
package browsertest
