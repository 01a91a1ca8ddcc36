#!/bin/sh
# Makes the clips anew: see SOURCES.md. Needs ffmpeg with libx264.
set -eu
cd "$(dirname "$0")"

# encode FILE FRAMES GROUP CRF SOURCE: Annex B, constrained baseline, one slice a
# picture, a key picture with its parameter sets every GROUP pictures, nothing else.
encode() {
	ffmpeg -nostdin -hide_banner -loglevel error -y -f lavfi -i "$5" -frames:v "$2" -an -pix_fmt yuv420p \
		-c:v libx264 -profile:v baseline -preset veryslow -crf "$4" -x264-params \
		"keyint=$3:min-keyint=$3:scenecut=0:bframes=0:ref=1:slices=1:sliced-threads=0:threads=1:repeat-headers=1:aud=0" \
		-bsf:v filter_units=remove_types=6 -f h264 "$1"
}

for height in 180 360; do
	size=$((height * 16 / 9))x$height
	encode "camera-$height.h264" 60 30 32 "testsrc2=size=$size:rate=20"
	encode "second-$height.h264" 60 30 32 "testsrc=size=$size:rate=20,hue=h=140"
	encode "sync-$height.h264" 30 15 32 "testsrc2=size=$size:rate=15,drawbox=color=white:t=fill:enable='eq(n,0)'"
done

slides="color=white:size=1280x720:rate=10,
drawbox=x=60:y=50:w=900:h=60:color=navy:t=fill,
drawbox=x=80:y=160:w=700:h=18:color=gray:t=fill:enable='lt(n,10)',
drawbox=x=80:y=210:w=560:h=18:color=gray:t=fill:enable='lt(n,10)',
drawbox=x=80:y=260:w=760:h=18:color=gray:t=fill:enable='lt(n,10)',
drawbox=x=120:y=500:w=120:h=160:color=red:t=fill:enable='gte(n,20)',
drawbox=x=300:y=400:w=120:h=260:color=green:t=fill:enable='gte(n,20)',
drawbox=x=480:y=300:w=120:h=360:color=blue:t=fill:enable='gte(n,20)'[slide];
color=gray:size=384x288:rate=10,noise=alls=100:all_seed=7[photo];
color=black:size=16x24:rate=10[pointer];
[slide][photo]overlay=x=160:y=180:enable='between(n,10,19)'[page];
[page][pointer]overlay=x='700+n*10':y='600-n*4'"
encode slides-720.h264 30 10 26 "$(printf %s "$slides" | tr -d '\n')"
