// Package recordstest writes data files for tests.
package recordstest
