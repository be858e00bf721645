// Package weightstest writes model files for tests.
package weightstest
