// Package weights reads and writes base weights and adapters: safetensors files in Hugging Face's layouts, GGUF files of llama.cpp,
// and LoRA adapters in PEFT's layout.
//
// Everything is float32 in memory, whatever the file holds, but for weights that are to stay quantised or to be (Want.Formats). Files
// come through fs.FS, so that the model embedded in the binary and a folder on disk are read by the same code; Builtin opens the
// embedded ones.
//
//	tensors, err := weights.ReadModelTo(os.DirFS("gpt2"), config.Weights(), begin) // begin: where to copy the bytes, or nowhere
//	g, err := weights.ReadGGUF(os.DirFS("models"), "smollm2.gguf")       // g.Metadata, g.Config()
//	adapter, err := weights.ReadAdapter("runs/trials/1f/1/adapter")
//
// A GGUF file, or its parts, look like the folder that they were made from: the tensors have transformers' names, what llama.cpp's
// converter changed in them is undone (the order of q and k, the norms of Gemma), and the metadata is translated into a config.json.
// Quantised weights become the float32 values that llama.cpp's reference computes, now or where a product needs them.
//
// A file is not trusted. The header is checked whole before any tensor is allocated: its length against the file's,
// every offset against the data, gaps, overlaps and shapes. go-huggingface's own reader maps a file and slices it by the
// header's offsets unchecked, reads only what has a path on disk, and hands tensors to a backend, so it does not serve
// here; nor does its GGUF reader, which allocates what a header claims (a list of 16 million texts) before the file shows it.
//
// Files are written to a temporary name, synced, and renamed: after a crash a file is the old one or the new one, never
// a part of one; a folder that was being replaced may be missing. A left-over temporary file is dead.
package weights
