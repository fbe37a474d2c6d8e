import { product } from "./product.js";

self.onmessage = ({ data }) => self.postMessage(product(data));
