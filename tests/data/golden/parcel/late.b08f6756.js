(0,globalThis.parcelRequire5009.register)("hzuLx",function(e,t){function r(){return"late, and without styles"}Object.defineProperty(e.exports,"late",{get:()=>r,set:void 0,enumerable:!0,configurable:!0})});
//# sourceMappingURL=late.b08f6756.js.map
