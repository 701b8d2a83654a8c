// The camera, for src/page/camera.rs. Its pictures are the middle square of what it sees, and they never leave the tab.
"use strict";
self.inklingCamera = (() => {
  let stream;
  const view = () => document.getElementById("camera-view");
  const close = () => {
    stream?.getTracks().forEach((track) => track.stop());
    stream = view().srcObject = null;
  };
  const square = (side) => {
    const video = view();
    const size = Math.min(video.videoWidth, video.videoHeight);
    if (size === 0) throw new Error("it shows nothing yet");
    const canvas = Object.assign(document.createElement("canvas"), { width: side, height: side });
    const context = canvas.getContext("2d", { willReadFrequently: true });
    context.imageSmoothingQuality = "high";
    context.drawImage(video, (video.videoWidth - size) / 2, (video.videoHeight - size) / 2, size, size, 0, 0, side, side);
    return context;
  };
  return {
    // Resolves when it shows something. `lost` is called if it is taken away later.
    open: async (lost) => {
      if (!navigator.mediaDevices) throw new Error("this browser has none for pages, or this page has no secure address (https)");
      close();
      stream = await navigator.mediaDevices.getUserMedia({ video: { width: { ideal: 640 }, height: { ideal: 480 } } });
      stream.getVideoTracks()[0].onended = lost;
      view().srcObject = stream;
      await view().play();
    },
    close,
    // A PNG file of `side` by `side` pixels.
    picture: async (side) => {
      const { canvas } = square(side);
      const blob = await new Promise((resolve) => canvas.toBlob(resolve));
      if (!blob) throw new Error("its picture could not be kept");
      return new Uint8Array(await blob.arrayBuffer());
    },
    // `side` by `side` pixels, as RGBA.
    pixels: (side) => new Uint8Array(square(side).getImageData(0, 0, side, side).data.buffer),
  };
})();
