.build/debug/recorder config check recorder.json
.build/debug/recorder serve --config recorder.json
