# What several scripts need. They source it.

# Where cargo puts what it builds.
target_folder() { cargo metadata --offline --no-deps --format-version 1 | sed -E 's/.*"target_directory":"([^"]*)".*/\1/'; }
# sha BITS: the SHA-2 of the standard input, in hexadecimal. macOS has shasum only.
sha() { { "sha$1sum" 2>/dev/null || shasum -a "$1"; } | cut -d' ' -f1; }
# integrity BITS: the same, as Subresource Integrity writes it
integrity() {
  local bytes
  bytes=$(sha "$1" | sed 's/../\\x&/g')
  printf 'sha%s-%s' "$1" "$(printf "$bytes" | base64 | tr -d '\n')"
}
