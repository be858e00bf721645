package backend

// Everything that is downloaded is pinned here, by version and SHA-256: an index is asked for addresses only, and a mirror needs no
// trust. One thing is not: go-xla's release, for machines that the wheel below is not made for, is held against the SHA-256 that its page
// on GitHub states (lookupRelease). Sizes are in bytes.

// The one kind of machine that the pinned wheels are made for.
const (
	pinnedOS   = "linux"
	pinnedArch = "amd64"
)

// wheel is one exact file of the Python package index.
type wheel struct {
	project, version string
	sha256           string
	size             int64
}

func (w wheel) String() string { return w.project + " " + w.version }

// pluginWheel is a wheel that holds a CPU plug-in, and the plug-in inside it.
type pluginWheel struct {
	wheel

	plugin       string // file name inside the wheel
	pluginSHA256 string
}

// pinnedWheel is the fastest of the wheels that carry a CPU plug-in, in bf16 above all: XLA of jaxlib 0.11.2 (measured,
// experiments/LOG.md 2026-11-23).
func pinnedWheel() pluginWheel {
	return pluginWheel{
		wheel:        wheel{"lammps-jax-pjrt-cpu", "0.11.2", "1319390d948b39f69f7dade496b7c385149d9ca6097a6b62114da113216d9ad1", 0},
		plugin:       "pjrt_c_api_cpu_plugin.so",
		pluginSHA256: "ad1309ac822b1b24d51b7f9947c7c9fa9ef5d67f390584cbc3d1fa2428fed9c2",
	}
}

// cudaSet is a CUDA plug-in with the libraries that it needs: wheels that are unpacked into one folder, as pip would.
type cudaSet struct {
	name     string // of the folder
	plugin   string // path in the folder
	version  string // for people
	wheels   []wheel
	unpacked int64 // bytes on disk, measured
	driver   int   // the CUDA version that the driver must have, as cuDriverGetVersion writes it
}

// pinnedCUDA is the plug-in of JAX 0.11.2, the same XLA as the CPU wheel above, and NVIDIA's libraries as pip chose them for
// jax-cuda13-plugin[with-cuda] on the day of that release, 2026-09-17: CUDA 13.4, cuDNN 9.26. Not in it: what is made for
// Python (jax-cuda13-plugin) or holds headers alone (nvidia-cuda-crt, nvidia-cuda-cccl).
//
// CUDA 13 and not 12: go-xla installs it too, it is 0.9 GB smaller, and JAX warns of wrong results of cuBLAS 12.8 to 13.1 on GPUs of
// compute capability 10 and 11 (jax_plugins/xla_cuda13/__init__.py), which CUDA 12 never cured. It needs a driver of series 580 and
// a GPU of compute capability 7.5; with less, JAX for CUDA 12 in a Python environment is found by itself.
func pinnedCUDA() cudaSet {
	return cudaSet{
		name: "cuda13-0.11.2", plugin: "jax_plugins/xla_cuda13/xla_cuda_plugin.so", version: "jax-cuda13-pjrt 0.11.2", driver: 13000,
		unpacked: 3732502191,
		wheels: []wheel{
			{"jax-cuda13-pjrt", "0.11.2", "e5ff589d43064913bb74027682d89639c7ea48f9f81c2bae6fc75117e913f93e", 134162640},
			{"nvidia-cublas", "13.8.0.4", "9f17797dfcc048694461f4e47de17d2e3c25adf172ef723d2db0a07cd8744b89", 439317144},
			{"nvidia-cuda-cupti", "13.4.92", "037b561575e6983bc4fe1caae644d7a296a8367f451bf6c2a3194f4d0765431c", 13058283},
			{"nvidia-cuda-nvcc", "13.4.92", "a1f3bfb27299e060b444d5df1f4bcd762501326cf0fd3141ed61756816ab9a0e", 47672022},
			{"nvidia-cuda-nvrtc", "13.4.92", "5ce8c97b00b232c4f50c8c4b5a3b68cafee08bdb82ea86f2052ff01d03194f4a", 53301733},
			{"nvidia-cuda-runtime", "13.4.92", "9641f797da20ce1dd8e779b6e96d08cf9ba564cec8e8225458811ee26423f3a5", 2494438},
			{"nvidia-cudnn-cu13", "9.26.0.51", "9c976d539786698c71d6bcdbe2053b7485fae062ff7e1215d2f2ff67b1a2149a", 519150073},
			{"nvidia-cufft", "12.4.0.43", "0e8385013596b112d29c9ce8c63dc575b308d77636c7169104e18714f03961a8", 161750089},
			{"nvidia-cusolver", "12.3.4.7", "225dd543c7b93ca22e62a35b5f4d8b4f9caa515733793925c05cdcf58da5cf02", 246439468},
			{"nvidia-cusparse", "12.8.6.72", "a739f6ff51ea2a8a2990b267b9b4d3063a5d94890efb8ccf393bfcab9dd487aa", 170468146},
			{"nvidia-nccl-cu13", "2.31.2", "0bcaf0308854cb55fcc35af72e2c83143f3b71e65a4e865e2c586b1cdcdb5ae0", 252442223},
			{"nvidia-nvjitlink", "13.4.92", "e0391f24ed94ec879b84e3da4d4ec320c879aff681f2c7a638462f7199284323", 42452378},
			{"nvidia-nvshmem-cu13", "3.7.2", "b9a4f843c62b5dded8ad33fd6d220e007dcd39f06cee549292f5ba14ce4c235c", 135397797},
			{"nvidia-nvvm", "13.4.92", "e4c81cb321dd9743bcf871c5e7e8fecd7f05dea607944426e102bdda8d49e137", 72604627},
		},
	}
}

// CUDASize returns what installing the CUDA plug-in downloads and what it takes on disk when it is done, in bytes.
func CUDASize() (download, disk int64) {
	set := pinnedCUDA()
	return set.download(), set.unpacked
}

// download is the size of all wheels.
func (s cudaSet) download() (bytes int64) {
	for _, w := range s.wheels {
		bytes += w.size
	}
	return bytes
}
