self.onmessage=({data:e})=>self.postMessage(e.reduce((e,s)=>e*s,1));
//# sourceMappingURL=180.e99cd6d6.chunk.js.map