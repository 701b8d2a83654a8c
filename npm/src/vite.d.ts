/** A plugin for Vite: serves Inkling's files while you develop, and puts them into the build, in `folder` (`inkling` without it). */
export default function inkling(options?: { folder?: string }): any;
