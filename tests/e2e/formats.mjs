// Pictures, archives and arrays as files.
import { crc32, deflateRawSync, deflateSync } from "node:zlib";

export const word = (value, write = "writeUInt32BE") => { const b = Buffer.alloc(write.includes("16") ? 2 : 4); b[write](value); return b; };

/** A picture of `width` by `height` pixels as PNG; `colour` gives the red, green and blue of each. */
export function png(width, height, colour) {
  const chunk = (name, data) => {
    const body = Buffer.concat([Buffer.from(name), data]);
    return Buffer.concat([word(data.length), body, word(crc32(body))]);
  };
  const rows = [];
  for (let y = 0; y < height; y++) rows.push(Buffer.from([0, ...Array.from({ length: width }, (_, x) => colour(x, y)).flat()]));
  const head = Buffer.concat([word(width), word(height), Buffer.from([8, 2, 0, 0, 0])]);
  return Buffer.concat([Buffer.from("\x89PNG\r\n\x1a\n", "latin1"), chunk("IHDR", head), chunk("IDAT", deflateSync(Buffer.concat(rows))), chunk("IEND", Buffer.alloc(0))]);
}

/** A ZIP archive of `[name, bytes]`. */
export function zip(files) {
  const [local, central] = [[], []];
  let at = 0;
  for (const [name, bytes] of files) {
    const packed = deflateRawSync(bytes);
    const [short, long] = [(v) => word(v, "writeUInt16LE"), (v) => word(v, "writeUInt32LE")];
    const common = Buffer.concat([short(20), short(0), short(8), short(0), short(0), long(crc32(bytes)), long(packed.length), long(bytes.length), short(name.length), short(0)]);
    local.push(Buffer.from("PK\x03\x04"), common, Buffer.from(name), packed);
    central.push(Buffer.from("PK\x01\x02"), short(20), common, Buffer.alloc(10), long(at), Buffer.from(name));
    at += 30 + name.length + packed.length;
  }
  const directory = Buffer.concat(central);
  const end = Buffer.concat([Buffer.from("PK\x05\x06"), Buffer.alloc(4), word(files.length, "writeUInt16LE"), word(files.length, "writeUInt16LE"), word(directory.length, "writeUInt32LE"), word(at, "writeUInt32LE"), Buffer.alloc(2)]);
  return Buffer.concat([...local, directory, end]);
}

/** An array of bytes in NumPy's format. */
export function npy(shape, values) {
  const header = `{'descr': '|u1', 'fortran_order': False, 'shape': (${shape.join(", ")},), }\n`;
  return Buffer.concat([Buffer.from("\x93NUMPY\x01\x00", "latin1"), word(header.length, "writeUInt16LE"), Buffer.from(header), values]);
}
