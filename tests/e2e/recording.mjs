// Records what a page shows as a WebM: frames from the browser's screencast, encoded by the browser's own MediaRecorder.
import { writeFile } from "node:fs/promises";

/** Records `page` until the returned function is called, which gives the frames. */
export async function record(page, { width, height }) {
  const devtools = await page.context().newCDPSession(page);
  const frames = [];
  devtools.on("Page.screencastFrame", async ({ data, metadata, sessionId }) => {
    frames.push([metadata.timestamp, data]);
    await devtools.send("Page.screencastFrameAck", { sessionId }).catch(() => {});
  });
  await devtools.send("Page.startScreencast", { format: "jpeg", quality: 90, maxWidth: width, maxHeight: height });
  return async () => (await devtools.send("Page.stopScreencast"), await devtools.detach(), frames);
}

/** Writes `frames` as a WebM of this size; it takes as long as the recording. */
export async function encode(browser, frames, { width, height }, path) {
  const page = await browser.newPage();
  await page.setContent(`<canvas width="${width}" height="${height}"></canvas>`);
  const encoded = await page.evaluate(async ([frames, width, height]) => {
    const canvas = document.querySelector("canvas"), context = canvas.getContext("2d");
    const recorder = new MediaRecorder(canvas.captureStream(15), { mimeType: "video/webm;codecs=vp9", videoBitsPerSecond: 900_000 });
    const parts = [];
    recorder.ondataavailable = (event) => parts.push(event.data);
    const images = await Promise.all(frames.map(async ([at, data]) => [at, await createImageBitmap(await (await fetch(`data:image/jpeg;base64,${data}`)).blob())]));
    recorder.start();
    const begun = performance.now();
    for (const [at, image] of images) {
      const due = 1000 * (at - images[0][0]) - (performance.now() - begun);
      if (due > 0) await new Promise((resolve) => setTimeout(resolve, due));
      context.drawImage(image, 0, 0, width, height);
    }
    await new Promise((resolve) => ((recorder.onstop = resolve), recorder.stop()));
    const bytes = new Uint8Array(await new Blob(parts).arrayBuffer());
    let text = "";
    for (let at = 0; at < bytes.length; at += 0x8000) text += String.fromCharCode(...bytes.subarray(at, at + 0x8000));
    return btoa(text);
  }, [frames, width, height]);
  await writeFile(path, Buffer.from(encoded, "base64"));
  await page.close();
}
