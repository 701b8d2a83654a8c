/** Which programs can train in this browser. The page decides alike (src/page/probe.rs). */

/** What trains: the GPU if there is a fast one, otherwise the CPU. */
export type Backend = "auto" | "webgpu" | "cpu";

// The smallest module with an instruction of relaxed SIMD: () -> v128.
const RELAXED = new Uint8Array([
  0, 97, 115, 109, 1, 0, 0, 0, 1, 5, 1, 96, 0, 1, 123, 3, 2, 1, 0, 10, 19, 1, 17, 0, 65, 0, 253, 15, 65, 0, 253, 15, 65, 0, 253, 15, 253, 133,
  2, 11,
]);

/** Whether there is a GPU that Burn can use and that is not the CPU in disguise. */
async function hasGpu(): Promise<boolean> {
  const gpu: GPU | undefined = navigator.gpu;
  const late = new Promise<null>((resolve) => setTimeout(resolve, 10_000, null));
  const adapter = await Promise.race([gpu?.requestAdapter({ powerPreference: "high-performance" }).catch(() => null), late]);
  if (!adapter) return false;
  // Chrome before 136 says it on the adapter.
  const earlier = "isFallbackAdapter" in adapter && adapter.isFallbackAdapter;
  // Chrome before 127 has no `info`.
  const info: Partial<GPUAdapterInfo> | undefined = adapter.info;
  const software = earlier || info?.isFallbackAdapter || info?.architecture === "swiftshader";
  return !software && adapter.features.has("timestamp-query");
}

/** The programs to try, in this order. Throws if `signal` aborts while the browser looks for a GPU. */
export async function programs(backend: Backend, signal?: AbortSignal): Promise<string[]> {
  const cpu = WebAssembly.validate(RELAXED) ? ["worker_relaxed", "worker_cpu"] : ["worker_cpu"];
  if (backend === "cpu") return cpu;
  if (backend === "webgpu") return ["worker_webgpu"];
  const aborted = new Promise<never>((_, reject) => signal?.addEventListener("abort", () => reject(signal.reason), { once: true }));
  signal?.throwIfAborted();
  return (await Promise.race([hasGpu(), aborted])) ? ["worker_webgpu", ...cpu] : cpu;
}
