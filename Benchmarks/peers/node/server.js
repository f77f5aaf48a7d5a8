// A call recorder with ws, as one would write it in Node.js: messages go to a write stream, and the header of a WAV is
// completed when the stream has ended. A call whose stream is full is paused until it has drained.
'use strict';

const fs = require('fs');
const path = require('path');
const { parseArgs } = require('util');
const { WebSocketServer } = require('ws');

const { values: options } = parseArgs({
  options: { port: { type: 'string' }, out: { type: 'string' }, sinks: { type: 'string', default: 'wav' } },
});
const isWAV = options.sinks === 'wav';

// A RIFF header for 16-bit mono at 16 kHz.
function header(bytes) {
  const text = Buffer.alloc(44);
  text.write('RIFF', 0);
  text.writeUInt32LE(36 + bytes, 4);
  text.write('WAVEfmt ', 8);
  text.writeUInt32LE(16, 16);
  text.writeUInt16LE(1, 20);
  text.writeUInt16LE(1, 22);
  text.writeUInt32LE(16000, 24);
  text.writeUInt32LE(32000, 28);
  text.writeUInt16LE(2, 32);
  text.writeUInt16LE(16, 34);
  text.write('data', 36);
  text.writeUInt32LE(bytes, 40);
  return text;
}

// Writes the header once more, now that the length is known.
async function complete(file, bytes) {
  const handle = await fs.promises.open(file, 'r+');
  await handle.write(header(bytes), 0, 44, 0);
  await handle.close();
}

const server = new WebSocketServer({ host: '127.0.0.1', port: Number(options.port), path: '/cable', backlog: 4096 });
server.on('connection', (socket) => {
  let stream = null;
  let bytes = 0;
  socket.on('message', (message, isBinary) => {
    if (!isBinary) {
      if (stream) return;
      const name = path.basename(JSON.parse(message).uuid);
      stream = fs.createWriteStream(path.join(options.out, `${name}.${options.sinks}`), { flags: 'wx', mode: 0o640 });
      stream.on('error', (error) => {
        console.error(error);
        socket.close(1011);
      });
      stream.on('drain', () => socket.resume());
      if (isWAV) stream.write(header(0));
      return;
    }
    bytes += message.length;
    if (stream && !stream.write(message)) socket.pause();
  });
  socket.on('close', () => {
    if (stream) stream.end(() => isWAV && complete(stream.path, bytes).catch(console.error));
  });
  socket.on('error', console.error);
});
