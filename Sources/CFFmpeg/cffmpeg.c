#include "cffmpeg.h"
int cffmpeg_placeholder(void) { return 0; }
