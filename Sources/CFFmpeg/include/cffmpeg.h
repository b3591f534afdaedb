int cffmpeg_placeholder(void);
