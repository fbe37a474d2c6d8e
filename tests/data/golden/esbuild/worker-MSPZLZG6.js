function o(e){return e.reduce((r,s)=>r*s,1)}self.onmessage=({data:e})=>self.postMessage(o(e));
//# sourceMappingURL=/worker-MSPZLZG6.js.map
