export const __rspack_esm_ids=[105];export const __webpack_modules__={704(t,e,_){_.d(e,{},{late:function(){return"late, and without styles"}})}};
//# sourceMappingURL=105.3ce4e4e7.chunk.js.map