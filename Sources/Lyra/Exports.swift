// `import Lyra` brings what its interface is made of: media sources, and the options of sampling and extraction.
@_exported import LyraMedia
@_exported import LyraModel
