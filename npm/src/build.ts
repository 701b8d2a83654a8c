/** The build of the programs in the folder `site`. scripts/package writes it. */
export const BUILD: string = "unpackaged";
