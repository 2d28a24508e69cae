"""HDF5 files, read by the library h5py: of what it offers only what cannot lead out of the file."""
