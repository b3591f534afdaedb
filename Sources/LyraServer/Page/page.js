// Lyra's page: a conversation in writing, by voice, and about whatever is dropped here. Plain JavaScript; nothing from elsewhere.
const $ = (id) => document.getElementById(id);
const make = (tag, props = {}, ...children) => {
  const node = Object.assign(document.createElement(tag), props);
  node.append(...children.filter((child) => child != null));
  return node;
};
const icon = (name) => {
  const svg = document.createElementNS("http://www.w3.org/2000/svg", "svg");
  const use = document.createElementNS("http://www.w3.org/2000/svg", "use");
  use.setAttribute("href", `#i-${name}`);
  svg.setAttribute("aria-hidden", "true");
  svg.append(use);
  return svg;
};
const color = (name) => getComputedStyle(document.documentElement).getPropertyValue(name).trim();
const clock = (s) => `${Math.floor(s / 60)}:${String(Math.floor(s % 60)).padStart(2, "0")}`;

// ---------------------------------------------------------------- settings

const standard = { speak: true, evidence: false, keep: 0.8, temperature: 0, silence: 500, theme: "auto", system: "", key: "" };
const settings = { ...standard, ...JSON.parse(localStorage.getItem("lyra.settings") || "{}") };
const controls = {
  speak: ["s-speak", "checked"], evidence: ["s-evidence", "checked"], keep: ["s-keep", "valueAsNumber"],
  temperature: ["s-temperature", "valueAsNumber"], silence: ["s-silence", "valueAsNumber"], theme: ["s-theme", "value"],
  system: ["s-system", "value"], key: ["s-key", "value"],
};
function showSettings() {
  $("s-keep-out").textContent = `${Math.round(settings.keep * 100)} %`;
  $("s-temperature-out").textContent = settings.temperature.toFixed(1);
  $("s-silence-out").textContent = `${(settings.silence / 1000).toFixed(2)} s`;
  $("s-keep-row").hidden = !settings.evidence;
  if (settings.theme === "auto") delete document.documentElement.dataset.theme;
  else document.documentElement.dataset.theme = settings.theme;
  for (const sound of document.querySelectorAll(".sound")) sound.redraw?.();
}
for (const [name, [id, property]] of Object.entries(controls)) {
  $(id)[property] = settings[name];
  $(id).addEventListener("input", () => {
    settings[name] = $(id)[property];
    localStorage.setItem("lyra.settings", JSON.stringify(settings));
    showSettings();
    if (name === "key") findModel();
  });
}
$("open-settings").onclick = () => $("settings").showModal();
for (const dialog of document.querySelectorAll("dialog")) {
  dialog.addEventListener("click", (event) => { if (event.target === dialog) dialog.close(); });
}
showSettings();

// ---------------------------------------------------------------- the server

let model = "lyra";
const headers = (more = {}) => ({ ...(settings.key ? { Authorization: `Bearer ${settings.key}` } : {}), ...more });
async function findModel() {
  try {
    const response = await fetch("v1/models", { headers: headers() });
    const body = await response.json();
    if (!response.ok) throw new Error(response.status === 401 ? "This server asks for a key: see settings" : body.error.message);
    model = body.data[0].id;
    say("");
  } catch (error) {
    say(error instanceof TypeError ? "The server cannot be reached" : error.message, true);
  }
}
function say(text, isBad = false) {
  $("status").textContent = text;
  $("status").classList.toggle("bad", isBad);
}

// ---------------------------------------------------------------- sound

let audio;
/// Sound needs a gesture of the user first; every path to it begins with one.
function sound() {
  audio ??= new AudioContext({ latencyHint: "interactive" });
  if (audio.state === "suspended") audio.resume();
  return audio;
}

/// Plays samples as they come, one piece after the other, and knows how much was heard.
class Player {
  constructor(onEnd = () => {}) {
    this.context = sound();
    this.output = this.context.createGain();
    this.analyser = this.context.createAnalyser();
    this.analyser.fftSize = 512;
    this.output.connect(this.analyser).connect(this.context.destination);
    this.sources = new Set();
    this.end = 0;
    this.start = null;
    this.samples = [];
    this.onEnd = onEnd;
  }
  add(samples, rate = 24000) {
    if (!samples.length || this.stopped) return;
    this.samples.push(samples);
    const buffer = this.context.createBuffer(1, samples.length, rate);
    buffer.copyToChannel(samples, 0);
    const source = this.context.createBufferSource();
    source.buffer = buffer;
    source.connect(this.output);
    const now = this.context.currentTime + 0.06;
    this.end = Math.max(this.end, now);
    this.start ??= this.end;
    source.start(this.end);
    this.end += buffer.duration;
    this.sources.add(source);
    source.onended = () => {
      this.sources.delete(source);
      if (!this.sources.size && this.complete) this.onEnd();
    };
  }
  finish() {
    this.complete = true;
    if (!this.sources.size) this.onEnd();
  }
  /// Milliseconds that were heard. Pauses between pieces count as heard, which is close enough for words.
  get heard() {
    if (this.start === null) return 0;
    return Math.max(0, Math.min(this.context.currentTime, this.end) - this.start) * 1000;
  }
  get isPlaying() { return this.sources.size > 0; }
  get level() {
    const data = new Float32Array(this.analyser.fftSize);
    this.analyser.getFloatTimeDomainData(data);
    return loudness(data);
  }
  stop() {
    this.stopped = true;
    for (const source of this.sources) { source.onended = null; source.stop(); }
    this.sources.clear();
    this.onEnd();
  }
}
const loudness = (samples) => {
  let sum = 0;
  for (const sample of samples) sum += sample * sample;
  return Math.min(1, Math.sqrt(sum / samples.length) * 5);
};

/// The microphone: pieces of samples and their loudness.
async function openMicrophone(onSamples) {
  if (!navigator.mediaDevices?.getUserMedia) throw new Error("This browser gives microphones only to pages from this machine or over https.");
  const context = sound();
  const stream = await navigator.mediaDevices.getUserMedia({ audio: { channelCount: 1, echoCancellation: true, noiseSuppression: true, autoGainControl: true } });
  if (!context.hasRecorder) {
    await context.audioWorklet.addModule("recorder.js");
    context.hasRecorder = true;
  }
  const source = context.createMediaStreamSource(stream), node = new AudioWorkletNode(context, "recorder", { numberOfOutputs: 1 });
  node.port.onmessage = (event) => onSamples(event.data);
  const silent = context.createGain();
  silent.gain.value = 0;
  source.connect(node).connect(silent).connect(context.destination);
  return {
    rate: context.sampleRate,
    close() {
      node.port.onmessage = null;
      source.disconnect();
      node.disconnect();
      for (const track of stream.getTracks()) track.stop();
    },
  };
}

/// Another rate, by averaging or interpolating; good enough for a voice on its way to a filter bank.
class Resampler {
  constructor(from, to) { this.step = from / to; this.place = 0; this.last = 0; }
  add(samples) {
    const out = new Float32Array(Math.ceil(samples.length / this.step) + 1);
    let count = 0;
    while (this.place < samples.length) {
      const first = Math.floor(this.place), share = this.place - first;
      if (this.step > 1.3) {
        let sum = 0, n = 0;
        for (let i = Math.max(0, Math.round(this.place - this.step / 2)); i < Math.min(samples.length, this.place + this.step / 2); i++) { sum += samples[i]; n++; }
        out[count++] = n ? sum / n : 0;
      } else {
        const before = first > 0 ? samples[first - 1] : this.last;
        out[count++] = before + (samples[first] - before) * share;
      }
      this.place += this.step;
    }
    this.place -= samples.length;
    this.last = samples[samples.length - 1];
    return out.subarray(0, count);
  }
}
const join = (pieces) => {
  const all = new Float32Array(pieces.reduce((sum, piece) => sum + piece.length, 0));
  let place = 0;
  for (const piece of pieces) { all.set(piece, place); place += piece.length; }
  return all;
};
const toPCM = (samples) => {
  const out = new Int16Array(samples.length);
  for (let i = 0; i < samples.length; i++) out[i] = Math.max(-1, Math.min(1, samples[i])) * 32767;
  return new Uint8Array(out.buffer);
};
const fromPCM = (bytes) => {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength), out = new Float32Array(bytes.byteLength >> 1);
  for (let i = 0; i < out.length; i++) out[i] = view.getInt16(2 * i, true) / 32768;
  return out;
};
const toBase64 = (bytes) => {
  let text = "";
  for (let i = 0; i < bytes.length; i += 0x8000) text += String.fromCharCode(...bytes.subarray(i, i + 0x8000));
  return btoa(text);
};
const fromBase64 = (text) => Uint8Array.from(atob(text), (c) => c.charCodeAt(0));
function toWAV(samples, rate) {
  const pcm = toPCM(samples), head = new DataView(new ArrayBuffer(44));
  const tag = (at, text) => [...text].forEach((c, i) => head.setUint8(at + i, c.charCodeAt(0)));
  tag(0, "RIFF"); head.setUint32(4, 36 + pcm.length, true); tag(8, "WAVEfmt "); head.setUint32(16, 16, true);
  head.setUint16(20, 1, true); head.setUint16(22, 1, true); head.setUint32(24, rate, true); head.setUint32(28, rate * 2, true);
  head.setUint16(32, 2, true); head.setUint16(34, 16, true); tag(36, "data"); head.setUint32(40, pcm.length, true);
  return new Blob([head, pcm], { type: "audio/wav" });
}
const dataURL = (blob) => new Promise((done, failed) => {
  const reader = new FileReader();
  reader.onload = () => done(reader.result);
  reader.onerror = () => failed(reader.error);
  reader.readAsDataURL(blob);
});

// ---------------------------------------------------------------- the conversation, and keeping it

/// {role, text, media: [{kind, blob, name, fileID}], spoken: Blob?, evidence, isCut, error}
let conversation = [];
const database = new Promise((done) => {
  const request = indexedDB.open("lyra", 1);
  request.onupgradeneeded = () => request.result.createObjectStore("conversations");
  request.onsuccess = () => done(request.result);
  request.onerror = () => done(null);
});
async function keep() {
  const store = (await database)?.transaction("conversations", "readwrite").objectStore("conversations");
  store?.put(conversation.map(({ role, text, media, spoken, evidence, isCut, error }) => ({ role, text, media: media?.map(({ kind, blob, name }) => ({ kind, blob, name })), spoken, evidence, isCut, error })), "current");
}
async function restore() {
  const request = (await database)?.transaction("conversations").objectStore("conversations").get("current");
  if (!request) return;
  await new Promise((done) => { request.onsuccess = request.onerror = done; });
  for (const message of request.result || []) {
    conversation.push(message);
    show(message);
  }
  scrollDown(true);
}

const list = $("messages"), scroller = $("scroll");
function scrollDown(always = false) {
  const distance = scroller.scrollHeight - scroller.scrollTop - scroller.clientHeight;
  if (always || distance < 160) scroller.scrollTop = scroller.scrollHeight;
}

/// Adds a message to the page. Its parts that change are kept in `view`.
function show(message) {
  $("welcome").hidden = true;
  const node = make("article", { className: `message ${message.role}`, ariaLabel: message.role === "user" ? "You" : "Lyra" });
  const view = { node, words: make("div", { className: "words", textContent: message.text }), media: [], tools: make("div", { className: "tools" }), stage: make("div", { className: "stage" }) };
  for (const medium of message.media || []) {
    const element = showMedium(medium);
    view.media.push(element);
    node.append(element);
  }
  if (message.role === "user") {
    if (message.text) node.append(view.words);
  } else {
    node.append(view.stage, view.words, view.tools);
  }
  Object.defineProperty(message, "view", { value: view, configurable: true });
  list.append(node);
  if (message.role === "assistant") refresh(message);
  return view;
}

function refresh(message) {
  const { view } = message;
  view.words.textContent = message.text;
  if (message.isBusy) return view.tools.replaceChildren();
  const tools = [];
  if (message.isCut) tools.push(make("span", { className: "cut", textContent: "interrupted" }));
  if (message.spoken) tools.push(soundPlayer(message.spoken, "", true));
  if (message.text) {
    const copy = make("button", { className: "chip", type: "button", title: "Copy" }, icon("copy"), "Copy");
    copy.onclick = async () => {
      await navigator.clipboard?.writeText(message.text);
      copy.lastChild.textContent = "Copied";
      setTimeout(() => (copy.lastChild.textContent = "Copy"), 1500);
    };
    tools.push(copy);
  }
  if (message.evidence?.media?.length) {
    const button = make("button", { className: "chip", type: "button", ariaPressed: "false" }, icon("eye"), "Evidence");
    button.onclick = () => {
      const isShown = button.getAttribute("aria-pressed") !== "true";
      button.setAttribute("aria-pressed", isShown);
      showEvidence(message, isShown);
    };
    tools.push(button);
  }
  view.tools.replaceChildren(...tools);
  if (message.error) view.tools.prepend(make("div", { className: "error", role: "alert", textContent: message.error }));
}

// ---------------------------------------------------------------- media

const kindOf = (type) => (type.startsWith("image/") ? "image" : type.startsWith("video/") ? "video" : type.startsWith("audio/") ? "sound" : null);

function showMedium(medium) {
  if (medium.kind === "sound") return soundPlayer(medium.blob, medium.name);
  const url = URL.createObjectURL(medium.blob);
  const inner = medium.kind === "image" ? make("img", { src: url, alt: medium.name || "Picture" }) : make("video", { src: url, controls: true, playsInline: true });
  const node = make(medium.kind === "image" ? "button" : "div", { className: "picture" }, inner, make("canvas"));
  if (medium.kind === "image") {
    node.type = "button";
    node.ariaLabel = `${medium.name || "Picture"}: enlarge`;
    node.onclick = () => {
      $("viewer").replaceChildren(make("img", { src: url, alt: medium.name || "Picture" }));
      $("viewer").showModal();
    };
  }
  return node;
}

let playing;
/// A waveform that can be played from any moment.
function soundPlayer(blob, name = "", isSmall = false) {
  const element = new Audio(URL.createObjectURL(blob));
  element.preload = "metadata";
  const button = make("button", { className: "icon", type: "button", ariaLabel: "Play" }, icon("play"));
  const canvas = make("canvas", { tabIndex: 0, role: "slider", ariaLabel: "Position in the recording", ariaValueMin: "0" });
  const time = make("time", { textContent: "–:––" });
  const node = make("div", { className: "sound" }, button, canvas, time, name && !isSmall ? make("span", { className: "name", textContent: name, title: name }) : null);
  let peaks = [], duration = 0;
  node.redraw = () => {
    const width = canvas.clientWidth, height = canvas.clientHeight, scale = devicePixelRatio || 1;
    if (!width) return;
    canvas.width = width * scale;
    canvas.height = height * scale;
    const draw = canvas.getContext("2d");
    draw.scale(scale, scale);
    const bars = Math.floor(width / 4), done = duration ? element.currentTime / duration : 0;
    for (let i = 0; i < bars; i++) {
      const from = Math.floor((i / bars) * peaks.length), to = Math.max(from + 1, Math.floor(((i + 1) / bars) * peaks.length));
      let peak = 0;
      for (let k = from; k < to; k++) peak = Math.max(peak, peaks[k] || 0);
      const size = Math.max(3, peak * (height - 4)), at = ((i + 0.5) / bars) * duration;
      const piece = node.evidence?.find((piece) => at >= piece.start && at < piece.end);
      draw.fillStyle = node.evidence ? (piece?.kept ? color("--accent-2") : color("--line")) : i / bars < done ? color("--accent") : color("--soft");
      draw.globalAlpha = node.evidence ? (piece?.kept ? 0.45 + 0.55 * Math.min(1, piece.score / 2) : 1) : i / bars < done ? 1 : 0.55;
      draw.beginPath();
      draw.roundRect(i * 4, (height - size) / 2, 2.6, size, 1.3);
      draw.fill();
    }
    if (done > 0 && done < 1) {
      draw.globalAlpha = 1;
      draw.fillStyle = color("--ink");
      draw.fillRect(done * width, 0, 1.5, height);
    }
  };
  const show = () => {
    button.replaceChildren(icon(element.paused ? "play" : "pause"));
    button.ariaLabel = element.paused ? "Play" : "Pause";
    time.textContent = clock(element.paused && !element.currentTime ? Math.max(duration && 1, Math.round(duration)) : element.currentTime);
    canvas.ariaValueMax = String(Math.round(duration));
    canvas.ariaValueNow = String(Math.round(element.currentTime));
    canvas.ariaValueText = `${clock(element.currentTime)} of ${clock(duration)}`;
    node.redraw();
    if (!element.paused) requestAnimationFrame(show);
  };
  const play = () => {
    if (playing && playing !== element) playing.pause();
    playing = element;
    element.play();
  };
  button.onclick = () => (element.paused ? play() : element.pause());
  element.onplay = element.onpause = element.onseeked = show;
  element.onended = () => { element.currentTime = 0; };
  canvas.onclick = (event) => {
    element.currentTime = (event.offsetX / canvas.clientWidth) * duration;
    play();
  };
  canvas.onkeydown = (event) => {
    const step = { ArrowLeft: -2, ArrowRight: 2, PageDown: -15, PageUp: 15 }[event.key];
    if (step) element.currentTime = Math.max(0, Math.min(duration, element.currentTime + step));
    else if (event.key === " " || event.key === "Enter") button.click();
    else return;
    event.preventDefault();
  };
  (async () => {
    try {
      const context = new OfflineAudioContext(1, 16000, 16000);
      const buffer = await context.decodeAudioData(await blob.arrayBuffer());
      const data = buffer.getChannelData(0), step = Math.max(1, Math.floor(data.length / 2000));
      duration = buffer.duration;
      let top = 0.01;
      for (let i = 0; i < data.length; i += step) {
        let peak = 0;
        for (let k = i; k < Math.min(i + step, data.length); k++) peak = Math.max(peak, Math.abs(data[k]));
        peaks.push(peak);
        top = Math.max(top, peak);
      }
      peaks = peaks.map((peak) => peak / top);
    } catch {
      element.onloadedmetadata = () => { duration = element.duration; show(); };
    }
    show();
  })();
  new ResizeObserver(() => node.redraw()).observe(canvas);
  return node;
}

/// Evidence lies over the question's pictures and waveforms. The newest media of a kind are the last in the list.
function showEvidence(message, isShown) {
  const before = conversation.slice(0, conversation.indexOf(message));
  for (const kind of ["vision", "speech"]) {
    const found = message.evidence.media.filter((medium) => medium.kind === kind);
    const elements = before.flatMap((m) => (m.media || []).map((medium, i) => ({ kind: medium.kind, node: m.view.media[i], owner: m.view.node }))).filter((e) => (e.kind === "sound") === (kind === "speech"));
    found.forEach((medium, i) => {
      const target = elements[elements.length - found.length + i];
      if (!target) return;
      target.owner.classList.toggle("shows-evidence", isShown);
      if (kind === "speech") {
        target.node.evidence = isShown ? medium.pieces : null;
        target.node.redraw();
      } else if (isShown) {
        drawCells(target.node, medium.pieces);
      }
      if (isShown) target.node.scrollIntoView({ block: "nearest", behavior: "smooth" });
    });
  }
}
function drawCells(node, pieces) {
  const canvas = node.querySelector("canvas");
  canvas.width = node.clientWidth * 2;
  canvas.height = node.clientHeight * 2;
  const draw = canvas.getContext("2d");
  draw.fillStyle = "rgba(12, 9, 24, .72)";
  draw.fillRect(0, 0, canvas.width, canvas.height);
  // Of a video, a place counts if it was kept in any of the frames.
  for (const piece of pieces) {
    if (!piece.kept) continue;
    draw.clearRect(piece.x * canvas.width, piece.y * canvas.height, piece.width * canvas.width + 1, piece.height * canvas.height + 1);
  }
}

// ---------------------------------------------------------------- composing

let attached = [];
const text = $("text");
function grow() {
  text.style.height = "auto";
  text.style.height = `${text.scrollHeight}px`;
  showSend();
}
text.addEventListener("input", grow);
text.addEventListener("keydown", (event) => {
  if (event.key === "Enter" && !event.shiftKey && !event.isComposing) {
    event.preventDefault();
    if (!isStop()) $("composer").requestSubmit();
  }
});
text.addEventListener("paste", (event) => attach(event.clipboardData.files) && event.preventDefault());

function attach(files) {
  for (const file of files) {
    const kind = kindOf(file.type);
    if (!kind) {
      say(`${file.name} is no picture, video or recording`, true);
      continue;
    }
    attached.push({ kind, blob: file, name: file.name });
  }
  showAttached();
  return files.length > 0;
}
function showAttached() {
  $("attachments").replaceChildren(...attached.map((medium) => {
    const remove = make("button", { type: "button", ariaLabel: `Remove ${medium.name}` }, icon("close"));
    remove.onclick = () => {
      attached = attached.filter((other) => other !== medium);
      showAttached();
      text.focus();
    };
    const url = medium.kind === "sound" ? null : URL.createObjectURL(medium.blob);
    const preview = medium.kind === "image" ? make("img", { src: url, alt: "" }) : medium.kind === "video" ? make("video", { src: url, muted: true }) : null;
    return make("div", { className: "attachment" }, preview, make("span", { className: "label", textContent: medium.name }), remove);
  }));
  showSend();
}
$("attach").addEventListener("keydown", (event) => {
  if (event.key === "Enter" || event.key === " ") {
    event.preventDefault();
    $("file").click();
  }
});
$("file").addEventListener("change", () => {
  attach($("file").files);
  $("file").value = "";
  text.focus();
});
let dragDepth = 0;
addEventListener("dragenter", (event) => { if (event.dataTransfer.types.includes("Files")) { dragDepth++; $("drop").hidden = false; } });
addEventListener("dragleave", () => { if (--dragDepth <= 0) { dragDepth = 0; $("drop").hidden = true; } });
addEventListener("dragover", (event) => event.preventDefault());
addEventListener("drop", (event) => {
  event.preventDefault();
  dragDepth = 0;
  $("drop").hidden = true;
  attach(event.dataTransfer.files);
  text.focus();
});
for (const idea of document.querySelectorAll("[data-idea]")) {
  idea.onclick = () => {
    if (idea.dataset.idea === "talk") return $("hands-free").click();
    $("file").accept = idea.dataset.idea === "picture" ? "image/*" : "audio/*,video/*";
    $("file").click();
    $("file").accept = "image/*,video/*,audio/*";
    text.value = idea.dataset.idea === "picture" ? "What does this picture show?" : "What is said here, in a few sentences?";
    grow();
  };
}
/// What lies ready to be sent, which is then no longer there.
function takeComposed() {
  const message = { role: "user", text: text.value.trim(), media: attached };
  [attached, text.value] = [[], ""];
  showAttached();
  grow();
  return message;
}
$("composer").addEventListener("submit", (event) => {
  event.preventDefault();
  const isOnlyStop = isStop();
  running?.stop();
  if (isOnlyStop) return;
  if (!text.value.trim() && !attached.length) return text.focus();
  if (settings.speak) sound();
  ask(takeComposed());
});
addEventListener("keydown", (event) => {
  if (event.key !== "Escape" || document.querySelector("dialog[open]")) return;
  if (!$("voice").hidden) return talkEnd();
  running?.stop();
});
$("new").onclick = () => {
  running?.stop();
  conversation = [];
  list.replaceChildren();
  $("welcome").hidden = false;
  keep();
  text.focus();
};

// ---------------------------------------------------------------- asking

/// What can be stopped: an answer in the making, or one that is complete and still heard (then with its player).
let running;
function setRunning(value) {
  running = value;
  showSend();
}
/// Whether the button stops. An answer that is only heard still does not keep the next question waiting.
function isStop() { return Boolean(running) && !(running.player && (text.value.trim() || attached.length)); }
function showSend() {
  const name = isStop() ? "Stop" : "Send";
  if ($("send").ariaLabel === name) return;
  $("send").replaceChildren(icon(name.toLowerCase()));
  $("send").ariaLabel = $("send").title = name;
}

/// What is long is uploaded once and then asked about by name.
const uploadFrom = 4 << 20;
async function partOf(medium, signal) {
  if (medium.blob.size > uploadFrom) {
    if (!medium.fileID) {
      const form = new FormData();
      form.append("purpose", "user_data");
      form.append("file", medium.blob, medium.name || "file");
      const response = await fetch("v1/files", { method: "POST", headers: headers(), body: form, signal });
      const body = await response.json();
      if (!response.ok) throw new Error(body.error.message);
      Object.defineProperty(medium, "fileID", { value: body.id, configurable: true, writable: true });
    }
    return { type: "file", file: { file_id: medium.fileID } };
  }
  const url = await dataURL(medium.blob);
  if (medium.kind === "image") return { type: "image_url", image_url: { url } };
  if (medium.kind === "video") return { type: "video_url", video_url: { url } };
  return { type: "input_audio", input_audio: { data: url.slice(url.indexOf(",") + 1), format: (medium.blob.type.split("/")[1] || "wav").replace(/^x-|;.*$/g, "") } };
}
async function messagesFor(signal) {
  const messages = settings.system ? [{ role: "system", content: settings.system }] : [];
  for (const message of conversation) {
    if (message.role === "user") {
      const content = [];
      for (const medium of message.media || []) content.push(await partOf(medium, signal));
      if (message.text) content.push({ type: "text", text: message.text });
      messages.push({ role: "user", content });
    } else if (!message.isBusy) {
      messages.push({ role: "assistant", content: message.text });
    }
  }
  return messages;
}
const stages = { media: "Reading", speech_encoder: "Listening", vision_encoder: "Looking", prefill: "Thinking" };

async function ask(question) {
  conversation.push(question);
  show(question);
  const answer = { role: "assistant", text: "", isBusy: true };
  conversation.push(answer);
  const { node, stage } = show(answer);
  node.classList.add("busy");
  scrollDown(true);
  const abort = new AbortController(), player = settings.speak ? new Player() : null;
  setRunning({ stop() { answer.isCut = true; abort.abort(); player?.stop(); } });
  try {
    const body = {
      model, stream: true, messages: await messagesFor(abort.signal), temperature: settings.temperature, max_completion_tokens: 1024,
      lyra: { progress: true, ...(settings.evidence ? { evidence: true, extract: { blocks: 2, keep_rate: settings.keep } } : {}) },
      ...(player ? { modalities: ["text", "audio"], audio: { voice: "lyra", format: "pcm16" } } : {}),
    };
    const response = await fetch("v1/chat/completions", { method: "POST", headers: headers({ "Content-Type": "application/json" }), body: JSON.stringify(body), signal: abort.signal });
    if (!response.ok) throw new Error((await response.json()).error.message);
    for await (const chunk of events(response.body)) {
      if (chunk.error) throw new Error(chunk.error.message);
      const delta = chunk.choices?.[0]?.delta;
      if (delta?.content) {
        answer.text += delta.content;
        stage.textContent = "";
        answer.view.words.textContent = answer.text;
        scrollDown();
      }
      if (delta?.audio?.data) player?.add(fromPCM(fromBase64(delta.audio.data)));
      if (chunk.lyra?.evidence) answer.evidence = chunk.lyra.evidence;
      const progress = chunk.lyra?.progress;
      if (progress && !answer.text) {
        const percent = progress.fraction > 0 && progress.fraction < 1 ? ` ${Math.round(progress.fraction * 100)} %` : "…";
        stage.textContent = (stages[progress.stage] || "Working") + percent;
      }
    }
    player?.finish();
  } catch (error) {
    if (error.name !== "AbortError") {
      answer.error = error instanceof TypeError ? "The connection to the server broke off." : error.message;
      // A server that was started anew does not know files of before.
      for (const message of conversation) for (const medium of message.media || []) if (medium.fileID) medium.fileID = null;
    }
  }
  delete answer.isBusy;
  stage.textContent = "";
  node.classList.remove("busy");
  if (player?.samples.length) answer.spoken = toWAV(join(player.samples), 24000);
  refresh(answer);
  scrollDown();
  setRunning(null);
  // The stop button stays while sound is heard.
  if (player?.isPlaying) {
    player.onEnd = () => { if (running?.player === player) setRunning(null); };
    setRunning({ player, stop() { player.stop(); setRunning(null); } });
  }
  keep();
}

/// Server-sent events as objects.
async function* events(stream) {
  const reader = stream.pipeThrough(new TextDecoderStream()).getReader();
  let rest = "";
  for (;;) {
    const { done, value } = await reader.read();
    if (done) return;
    const parts = (rest + value).split("\n\n");
    rest = parts.pop();
    for (const part of parts) {
      if (!part.startsWith("data: ") || part === "data: [DONE]") continue;
      yield JSON.parse(part.slice(6));
    }
  }
}

// ---------------------------------------------------------------- push to talk

let held;
async function talkStart(event) {
  event.preventDefault();
  if (held) return;
  if (running) running.stop();
  if (event.pointerId !== undefined) $("talk").setPointerCapture?.(event.pointerId);
  const session = (held = { pieces: [], isDown: true });
  $("talk").classList.add("live");
  $("note").classList.add("live");
  $("note").textContent = "Listening… let go to send";
  try {
    session.microphone = await openMicrophone((samples) => {
      session.pieces.push(samples);
      $("talk").style.setProperty("--level", loudness(samples).toFixed(3));
    });
    if (!session.isDown) talkStop();
  } catch (error) {
    endTalk();
    say(error.name === "NotAllowedError" ? "The browser does not allow the microphone" : error.message, true);
  }
}
function talkStop() {
  if (!held) return;
  held.isDown = false;
  if (!held.microphone) return;
  const { pieces, microphone } = held;
  // What is on its way from the microphone still belongs to it.
  setTimeout(() => {
    microphone.close();
    const samples = join(pieces), resampled = new Resampler(microphone.rate, 16000).add(samples);
    endTalk();
    if (samples.length < microphone.rate * 0.3) return ($("note").textContent = "Hold the button while you talk");
    const message = takeComposed();
    message.media.push({ kind: "sound", blob: toWAV(resampled, 16000), name: "" });
    ask(message);
  }, 120);
}
const note = $("note").textContent;
function endTalk() {
  held = null;
  $("talk").classList.remove("live");
  $("note").classList.remove("live");
  $("note").textContent = note;
}
$("talk").addEventListener("pointerdown", talkStart);
for (const name of ["pointerup", "pointercancel"]) $("talk").addEventListener(name, talkStop);
$("talk").addEventListener("keydown", (event) => { if (event.key === " " || event.key === "Enter") talkStart(event); });
$("talk").addEventListener("keyup", (event) => { if (event.key === " " || event.key === "Enter") talkStop(); });
$("talk").addEventListener("contextmenu", (event) => event.preventDefault());

// ---------------------------------------------------------------- hands free

let talk;
$("hands-free").onclick = async () => {
  if (talk) return;
  running?.stop();
  // What lies ready is what is talked about.
  if (text.value.trim() || attached.length) {
    const message = takeComposed();
    conversation.push(message);
    show(message);
    keep();
  }
  $("voice").hidden = false;
  $("voice-said").textContent = "";
  $("voice-mute").setAttribute("aria-pressed", "false");
  $("voice-end").focus();
  talk = { isMuted: false, micLevel: 0, sent: [], sentCount: 0, answers: new Map() };
  voiceState("Connecting…");
  try {
    await talkConnect(talk);
  } catch (error) {
    talkEnd();
    say(error.name === "NotAllowedError" ? "The browser does not allow the microphone" : error.message, true);
  }
};
const voiceState = (words) => { $("voice-state").textContent = words; };

async function talkConnect(session) {
  const protocols = ["realtime", ...(settings.key ? [`openai-insecure-api-key.${settings.key}`] : [])];
  const address = new URL("v1/realtime", location.href);
  address.protocol = address.protocol.replace("http", "ws");
  address.searchParams.set("model", model);
  const socket = (session.socket = new WebSocket(address, protocols));
  await new Promise((done, failed) => {
    socket.onopen = done;
    socket.onerror = () => failed(new Error("The realtime connection was refused: the server may be busy."));
  });
  const send = (session.send = (event) => socket.readyState === WebSocket.OPEN && socket.send(JSON.stringify(event)));
  socket.onmessage = (event) => talkEvent(session, JSON.parse(event.data));
  socket.onclose = () => {
    if (talk !== session) return;
    talkEnd();
    say("The realtime connection ended", true);
  };
  send({ type: "session.update", session: { type: "realtime", instructions: settings.system, audio: { input: { turn_detection: { type: "server_vad", silence_duration_ms: settings.silence } } } } });
  // What was said before belongs to the conversation, too.
  for (const message of conversation) {
    const content = message.role === "user" ? [] : [{ type: "output_text", text: message.text }];
    if (message.role === "user") {
      for (const medium of message.media || []) {
        if (medium.kind === "image" && medium.blob.size < uploadFrom) content.push({ type: "input_image", image_url: await dataURL(medium.blob) });
        if (medium.kind === "sound" && medium.blob.size < uploadFrom) {
          const context = new OfflineAudioContext(1, 24000, 24000);
          const buffer = await context.decodeAudioData(await medium.blob.arrayBuffer());
          content.push({ type: "input_audio", audio: toBase64(toPCM(buffer.getChannelData(0))) });
        }
      }
      if (message.text) content.push({ type: "input_text", text: message.text });
    }
    if (content.length) send({ type: "conversation.item.create", item: { type: "message", role: message.role, content } });
  }
  let resampler;
  session.microphone = await openMicrophone((samples) => {
    resampler ??= new Resampler(session.microphone.rate, 24000);
    session.micLevel = session.isMuted ? 0 : loudness(samples);
    const ready = resampler.add(session.isMuted ? new Float32Array(samples.length) : samples).slice();
    session.sent.push(ready);
    session.sentCount += ready.length;
    send({ type: "input_audio_buffer.append", audio: toBase64(toPCM(ready)) });
  });
  if (talk !== session) return session.microphone.close();
  voiceState("Listening");
  drawOrb(session);
}

/// The sound that was sent between two moments, in milliseconds.
function sentBetween(session, from, to) {
  const all = join(session.sent), rate = 24;
  return all.slice(Math.max(0, Math.round(from * rate)), Math.round(to * rate));
}

function talkEvent(session, event) {
  switch (event.type) {
    case "input_audio_buffer.speech_started":
      session.startedAt = event.audio_start_ms;
      talkInterrupt(session);
      voiceState("Listening");
      break;
    case "input_audio_buffer.speech_stopped": {
      const blob = toWAV(sentBetween(session, session.startedAt, event.audio_end_ms + 100), 24000);
      const message = { role: "user", text: "", media: [{ kind: "sound", blob, name: "" }] };
      conversation.push(message);
      show(message);
      voiceState("Thinking…");
      $("voice-said").textContent = "";
      break;
    }
    case "response.output_item.added": {
      const answer = { role: "assistant", text: "", isBusy: true };
      conversation.push(answer);
      show(answer);
      session.current = { id: event.item.id, answer, player: new Player(() => session.current?.player.complete && voiceState("Listening")) };
      session.answers.set(event.item.id, session.current);
      break;
    }
    case "response.output_audio.delta":
      session.answers.get(event.item_id)?.player.add(fromPCM(fromBase64(event.delta)));
      voiceState("Speaking: interrupt me whenever you like");
      break;
    case "response.output_audio_transcript.delta":
    case "response.output_text.delta": {
      const entry = session.answers.get(event.item_id);
      if (!entry || entry.isCut) break;
      entry.answer.text += event.delta;
      entry.answer.view.words.textContent = entry.answer.text;
      $("voice-said").textContent = entry.answer.text;
      $("voice-said").scrollTop = 1e6;
      scrollDown();
      break;
    }
    case "conversation.item.truncated":
      session.send({ type: "conversation.item.retrieve", item_id: event.item_id });
      break;
    case "conversation.item.retrieved": {
      const entry = session.answers.get(event.item.id);
      if (!entry) break;
      entry.answer.text = event.item.content[0]?.transcript ?? "";
      refresh(entry.answer);
      keep();
      break;
    }
    case "response.done": {
      const entry = session.answers.get(event.response.output[0]?.id);
      if (event.response.status === "failed") say(event.response.status_details.error.message, true);
      if (!entry) break;
      entry.player.finish();
      delete entry.answer.isBusy;
      entry.answer.view.node.classList.remove("busy");
      if (event.response.status === "cancelled") entry.answer.isCut = true;
      if (entry.player.samples.length) entry.answer.spoken = toWAV(join(entry.player.samples), 24000);
      refresh(entry.answer);
      if (!entry.player.isPlaying) voiceState("Listening");
      keep();
      break;
    }
    case "error":
      if (event.error.code !== "response_cancel_not_active") say(event.error.message, true);
      break;
  }
}

/// Whoever talks is listened to: what is left of the answer is not played, and the server learns how much was.
function talkInterrupt(session) {
  const entry = session.current;
  if (!entry || entry.isCut || (!entry.player.isPlaying && !entry.answer.isBusy)) return;
  entry.isCut = entry.answer.isCut = true;
  const heard = Math.round(entry.player.heard);
  entry.player.stop();
  session.send({ type: "conversation.item.truncate", item_id: entry.id, content_index: 0, audio_end_ms: heard });
}

function talkEnd() {
  const session = talk;
  talk = null;
  $("voice").hidden = true;
  if (!session) return;
  session.microphone?.close();
  for (const entry of session.answers.values()) {
    if (entry.player.isPlaying) entry.player.stop();
    if (entry.answer.isBusy) {
      delete entry.answer.isBusy;
      entry.answer.isCut = true;
      refresh(entry.answer);
    }
  }
  session.socket?.close();
  keep();
  $("hands-free").focus();
}
$("voice-end").onclick = talkEnd;
$("voice-interrupt").onclick = () => {
  if (!talk) return;
  talk.send({ type: "response.cancel" });
  talkInterrupt(talk);
  voiceState("Listening");
};
$("voice-mute").onclick = () => {
  talk.isMuted = !talk.isMuted;
  $("voice-mute").setAttribute("aria-pressed", talk.isMuted);
};

/// A ring that moves with whoever speaks.
function drawOrb(session) {
  const canvas = $("orb"), draw = canvas.getContext("2d"), size = canvas.width;
  const calm = matchMedia("(prefers-reduced-motion: reduce)").matches;
  let level = 0, turn = 0;
  const frame = () => {
    if (talk !== session) return;
    const isSpeaking = session.current?.player.isPlaying;
    const target = isSpeaking ? session.current.player.level : session.micLevel;
    level += (target - level) * 0.25;
    turn += calm ? 0 : 0.012 + level * 0.03;
    draw.clearRect(0, 0, size, size);
    for (let ring = 2; ring >= 0; ring--) {
      draw.beginPath();
      for (let i = 0; i <= 120; i++) {
        const angle = (i / 120) * 2 * Math.PI;
        const wave = Math.sin(angle * 3 + turn * (ring + 1)) + Math.sin(angle * 5 - turn * 1.7);
        const radius = size * (0.23 + ring * 0.03 + level * 0.09) + wave * size * (0.004 + level * 0.014) * (ring + 1);
        draw.lineTo(size / 2 + Math.cos(angle) * radius, size / 2 + Math.sin(angle) * radius);
      }
      const fill = draw.createLinearGradient(size * 0.2, size * 0.2, size * 0.8, size * 0.8);
      fill.addColorStop(0, isSpeaking ? "#18a8a0" : "#7b52f4");
      fill.addColorStop(1, isSpeaking ? "#7b52f4" : "#18a8a0");
      draw.globalAlpha = [1, 0.28, 0.14][ring];
      draw.fillStyle = fill;
      draw.fill();
    }
    requestAnimationFrame(frame);
  };
  frame();
}

findModel();
restore();
if (matchMedia("(pointer: fine)").matches) text.focus();
