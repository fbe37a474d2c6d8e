/*! For license information please see about.e811f79f.chunk.js.LICENSE.txt */
"use strict";(self.webpackChunkbundlers=self.webpackChunkbundlers||[]).push([[594],{892(s,e,u){u.d(e,{about:()=>l});var a=u(245);function l(s){s.classList.add("ZQPzblugrDQZGVFxZICO"),s.title=`${(0,a.q)([2,3])} pages`}}}]);
//# sourceMappingURL=about.e811f79f.chunk.js.map