// Package weights reads base weights and writes adapters: safetensors files in Hugging Face's layouts, and LoRA adapters
// in PEFT's.
//
// Everything is float32 in memory, whatever the file holds. Files come through fs.FS, so that the model embedded in the
// binary and a folder on disk are read by the same code; Builtin opens the embedded ones.
//
//	tensors, err := weights.ReadModel(os.DirFS("gpt2"), config.Weights())
//	adapter, err := weights.ReadAdapter("runs/trials/1f/1/adapter")
//
// A file is not trusted. The header is checked whole before any tensor is allocated: its length against the file's,
// every offset against the data, gaps, overlaps and shapes. go-huggingface's own reader maps a file and slices it by the
// header's offsets unchecked, reads only what has a path on disk, and hands tensors to a backend, so it does not serve
// here; its number formats do.
//
// Files are written to a temporary name, synced, and renamed: after a crash there is the old file or the new one, never
// a part. A left-over temporary file is dead.
package weights
