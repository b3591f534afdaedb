// The MLX C++ library has no C headers; CMLX includes its C++ ones. This target carries its pkg-config flags.
