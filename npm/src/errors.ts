/** What went wrong, as a sentence: a wrong setting, weights that do not fit, or a browser that can't train. */
export class InklingError extends Error {
  override name = "InklingError";
}

/** A worker that can't start, or that is gone. Another one may take its place. */
export class WorkerLost extends Error {
  override name = "WorkerLost";
}
