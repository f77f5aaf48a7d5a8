.build/debug/recorder call speech.wav --to http://127.0.0.1:9292/webhooks/answer
head -n 3 recordings/*/*.peak.csv
jq '.sinks[] | select(.type == "peak") | .details' recordings/*/*.json
