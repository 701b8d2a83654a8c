import inkling from "inkling/vite";

export default { base: "./", plugins: [inkling()] };
