// The containers that are opened, by FFmpeg's names. A list of what is allowed, because others open further files or
// connections (HLS, DASH, concat, SDP), and because each one is code that hostile bytes reach.
enum Containers {
    static let sound =
        "wav,w64,aiff,au,caf,mp3,aac,flac,ogg,amr,amrnb,amrwb,ac3,eac3,dts,truehd,ape,wv,tta,tak,mpc,mpc8,voc,gsm,dsf,iff,sox"
    static let film =
        "mov,mp4,m4a,3gp,3g2,mj2,matroska,webm,avi,flv,asf,mpegts,mpeg,mpegvideo,ivf,h264,hevc,m4v,obu,yuv4mpegpipe,nut"
    static let moving = "gif,apng"

    static let withSound = sound + "," + film
    static let withVideo = film + ",ogg," + moving
}
