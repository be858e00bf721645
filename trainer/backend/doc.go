// Package backend finds, installs, opens and measures what a trial computes on.
//
// There are three platforms: xla:cuda (a GPU), xla:cpu, and go, the pure-Go backend that needs nothing but is about
// twenty times slower. The XLA platforms live in PJRT plug-ins, shared libraries of some 200 MB that are found in the
// folders of PJRT_PLUGIN_LIBRARY_PATH or in the user's and the system's lib/go-xla; for CUDA also in the Python environment in use.
//
// The main path, in order:
//
//   - Resolve turns a wish (auto, xla:cpu, xla:cuda, go, or a plug-in's path) into a Choice, once per command. It
//     downloads nothing and loads plug-ins only in a child process, so that a broken one cannot take the program with it.
//   - Install fetches a plug-in when a person asks for it, verifies checksums and runs a computation on it before it gets its
//     final name. What it may fetch is in pins.go.
//   - Open gives a worker the backend that its Choice names.
//   - PeakHostBytes, PeakDeviceBytes and HostMemory say what a trial used and what the machine has.
//
// A Choice's Identity becomes part of every trial's identity, because two plug-ins round differently.
package backend
