// Package wire has what trackers that write files share: protocol buffers by hand, and files that grow.
//
// protowire is a small part of Google's own module. Of the hundreds of messages that TensorBoard and Weights & Biases define each needs
// about ten, whose numbers of fields never change.
package wire
