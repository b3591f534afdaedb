// Runs beside the sound: hands the microphone's samples on, some 40 ms at a time.
class Recorder extends AudioWorkletProcessor {
  constructor() {
    super();
    this.buffer = new Float32Array(Math.round(sampleRate / 25));
    this.count = 0;
  }
  process(inputs) {
    const samples = inputs[0][0];
    if (!samples) return true;
    for (const sample of samples) {
      this.buffer[this.count++] = sample;
      if (this.count === this.buffer.length) {
        this.port.postMessage(this.buffer.slice());
        this.count = 0;
      }
    }
    return true;
  }
}
registerProcessor("recorder", Recorder);
