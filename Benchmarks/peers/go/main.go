// A call recorder with gorilla/websocket, as one would write it in Go with some care: a goroutine for each call, which
// copies messages through a buffer of 4 KiB to a file and allocates nothing for them; the header of a WAV is completed
// when the call ends.
package main

import (
	"bufio"
	"encoding/binary"
	"encoding/json"
	"flag"
	"io"
	"log"
	"net/http"
	"os"
	"path/filepath"

	"github.com/gorilla/websocket"
)

var upgrader = websocket.Upgrader{}

// recording is the file of one call.
type recording struct {
	file    *os.File
	buffer  *bufio.Writer
	scratch [1024]byte
	bytes   uint32
	wav     bool
}

// writeOnly hides the buffer's ReadFrom, which would go past the buffer and straight to the file, with 32 KiB for each
// message.
type writeOnly struct{ io.Writer }

func create(path string, wav bool) (*recording, error) {
	file, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o640)
	if err != nil {
		return nil, err
	}
	r := &recording{file: file, buffer: bufio.NewWriter(file), wav: wav}
	if wav {
		_, err = r.buffer.Write(r.header())
	}
	return r, err
}

// header is a RIFF header for 16-bit mono at 16 kHz.
func (r *recording) header() []byte {
	h := make([]byte, 0, 44)
	h = append(h, "RIFF"...)
	h = binary.LittleEndian.AppendUint32(h, 36+r.bytes)
	h = append(h, "WAVEfmt "...)
	h = binary.LittleEndian.AppendUint32(h, 16)
	h = binary.LittleEndian.AppendUint16(h, 1)
	h = binary.LittleEndian.AppendUint16(h, 1)
	h = binary.LittleEndian.AppendUint32(h, 16000)
	h = binary.LittleEndian.AppendUint32(h, 32000)
	h = binary.LittleEndian.AppendUint16(h, 2)
	h = binary.LittleEndian.AppendUint16(h, 16)
	h = append(h, "data"...)
	return binary.LittleEndian.AppendUint32(h, r.bytes)
}

// take copies one message to the file.
func (r *recording) take(message io.Reader) error {
	n, err := io.CopyBuffer(writeOnly{r.buffer}, message, r.scratch[:])
	r.bytes += uint32(n)
	return err
}

func (r *recording) finish() error {
	err := r.buffer.Flush()
	if r.wav && err == nil {
		_, err = r.file.WriteAt(r.header(), 0)
	}
	return firstError(err, r.file.Close())
}

// firstError is the first of two that is one; errors.Join is younger than the Go of some distributions.
func firstError(first, second error) error {
	if first != nil {
		return first
	}
	return second
}

// record serves one call until it ends.
func record(conn *websocket.Conn, directory, kind string) error {
	_, first, err := conn.ReadMessage()
	if err != nil {
		return err
	}
	var hello struct {
		UUID string `json:"uuid"`
	}
	if err := json.Unmarshal(first, &hello); err != nil {
		return err
	}
	r, err := create(filepath.Join(directory, filepath.Base(hello.UUID)+"."+kind), kind == "wav")
	if err != nil {
		return err
	}
	for {
		kind, message, err := conn.NextReader()
		if websocket.IsCloseError(err, websocket.CloseNormalClosure) {
			return r.finish()
		}
		if err == nil && kind == websocket.BinaryMessage {
			err = r.take(message)
		}
		if err != nil {
			return firstError(err, r.finish())
		}
	}
}

func main() {
	port := flag.String("port", "", "")
	out := flag.String("out", "", "")
	sinks := flag.String("sinks", "wav", "wav or raw")
	flag.Parse()
	http.HandleFunc("/cable", func(w http.ResponseWriter, request *http.Request) {
		conn, err := upgrader.Upgrade(w, request, nil)
		if err != nil {
			log.Print(err)
			return
		}
		defer conn.Close()
		if err := record(conn, *out, *sinks); err != nil {
			log.Print(err)
		}
	})
	log.Fatal(http.ListenAndServe("127.0.0.1:"+*port, nil))
}
