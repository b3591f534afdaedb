#!/bin/bash
# The server's interface from a shell: examples/clients/curl.sh [ADDRESS]. Needs curl and python3.
# Start the server first: lyra serve --model DIR
set -euo pipefail
cd "$(dirname "$0")/../.."
server=${1:-http://127.0.0.1:8080}
json() { python3 -c "import json, sys; print(eval('body' + sys.argv[1], {'body': json.load(sys.stdin)}))" "$1"; }
base64_of() { base64 -w0 "$1"; }

echo "== a question"
curl -sS "$server/v1/chat/completions" -H 'Content-Type: application/json' \
  -d '{"model": "lyra", "max_completion_tokens": 32, "messages": [{"role": "user", "content": "What is a lyre?"}]}' | json '["choices"][0]["message"]["content"]'

echo "== about a picture, spoken, answered aloud: answer.wav"
{
  printf '{"model": "lyra", "max_completion_tokens": 32, "modalities": ["text", "audio"], "audio": {"voice": "lyra", "format": "wav"}, "messages": [{"role": "user", "content": ['
  printf '{"type": "image_url", "image_url": {"url": "data:image/png;base64,%s"}},' "$(base64_of examples/picture.png)"
  printf '{"type": "input_audio", "input_audio": {"data": "%s", "format": "wav"}}]}]}' "$(base64_of examples/question.wav)"
} | curl -sS "$server/v1/chat/completions" -H 'Content-Type: application/json' -d @- | tee /tmp/lyra-answer.json | json '["choices"][0]["message"]["content"]'
json '["choices"][0]["message"]["audio"]["data"]' < /tmp/lyra-answer.json | base64 -d > answer.wav

echo "== as it is written"
curl -sSN "$server/v1/chat/completions" -H 'Content-Type: application/json' \
  -d '{"model": "lyra", "stream": true, "max_completion_tokens": 16, "messages": [{"role": "user", "content": "Hello!"}]}' | sed -n 1,6p

echo "== a transcript with times"
curl -sS "$server/v1/audio/transcriptions" -F model=lyra -F response_format=srt -F file=@examples/recording.ogg

echo "== speech: speech.opus"
curl -sS "$server/v1/audio/speech" -H 'Content-Type: application/json' \
  -d '{"model": "lyra", "voice": "lyra", "input": "Good morning.", "response_format": "opus"}' -o speech.opus

echo "== a recording, uploaded once and asked about"
id=$(curl -sS "$server/v1/files" -F purpose=user_data -F file=@examples/recording.ogg | json '["id"]')
curl -sS "$server/v1/chat/completions" -H 'Content-Type: application/json' \
  -d "{\"model\": \"lyra\", \"max_completion_tokens\": 32, \"messages\": [{\"role\": \"user\", \"content\": [{\"type\": \"file\", \"file\": {\"file_id\": \"$id\"}}, {\"type\": \"text\", \"text\": \"Who speaks?\"}]}]}" | json '["choices"][0]["message"]["content"]'
curl -sS -X DELETE "$server/v1/files/$id" > /dev/null
