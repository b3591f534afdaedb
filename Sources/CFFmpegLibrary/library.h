// CFFmpeg includes the FFmpeg headers itself. This target carries their pkg-config flags.
