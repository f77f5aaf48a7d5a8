mkdir -p peak/Sources/Recorder peak/Tests/RecorderTests
cd peak
