function e(e){return e.reduce((e,t)=>e*t,1)}self.onmessage=({data:t})=>self.postMessage(e(t));
//# sourceMappingURL=worker-D-Eo85IxWrMY.js.map