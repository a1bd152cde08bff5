# SPDX-License-Identifier: Apache-2.0
# Finds the library file of ONNX Runtime and makes the target lsood::onnxruntime of it.
#
# ONNXRUNTIME_ROOT is an unpacked release, or the folder of the Python package onnxruntime. The library in the latter has no
# name by which a loader would find it, so that links to it are made in the build folder, and to the libraries beside it: it looks
# for those of execution providers where it lies itself. Without a root the library is that of
# the system; with one it is found there or nowhere.
set(ONNXRUNTIME_ROOT "" CACHE PATH "unpacked release of ONNX Runtime, or the folder of its Python package")
if(NOT "${ONNXRUNTIME_ROOT}" STREQUAL "${LSOOD_SEARCHED_ROOT}")
  unset(ONNXRUNTIME_LIBRARY CACHE)  # found by another root
endif()
set(LSOOD_SEARCHED_ROOT "${ONNXRUNTIME_ROOT}" CACHE INTERNAL "root by which ONNXRUNTIME_LIBRARY was found")
if(ONNXRUNTIME_ROOT)
  find_library(ONNXRUNTIME_LIBRARY onnxruntime PATHS ${ONNXRUNTIME_ROOT} PATH_SUFFIXES lib lib64 NO_DEFAULT_PATH)
else()
  find_library(ONNXRUNTIME_LIBRARY onnxruntime)
endif()
if(NOT ONNXRUNTIME_LIBRARY AND ONNXRUNTIME_ROOT)
  file(GLOB found ${ONNXRUNTIME_ROOT}/capi/libonnxruntime.so.* ${ONNXRUNTIME_ROOT}/libonnxruntime.so.*)
  if(found)
    list(GET found 0 found)
    set(links ${CMAKE_BINARY_DIR}/onnxruntime)
    file(MAKE_DIRECTORY ${links})
    get_filename_component(folder ${found} DIRECTORY)
    file(GLOB beside ${folder}/lib*.so*)
    foreach(library ${beside})
      get_filename_component(name ${library} NAME)
      file(CREATE_LINK ${library} ${links}/${name} SYMBOLIC)
    endforeach()
    foreach(name libonnxruntime.so libonnxruntime.so.1)
      file(CREATE_LINK ${found} ${links}/${name} SYMBOLIC)
    endforeach()
    set(ONNXRUNTIME_LIBRARY ${links}/libonnxruntime.so CACHE FILEPATH "library of ONNX Runtime" FORCE)
  endif()
endif()
include(FindPackageHandleStandardArgs)
find_package_handle_standard_args(LsoodOnnxRuntime REQUIRED_VARS ONNXRUNTIME_LIBRARY REASON_FAILURE_MESSAGE
  "give -DONNXRUNTIME_ROOT=its folder: an unpacked release of ONNX Runtime, or that of the Python package onnxruntime")
if(LsoodOnnxRuntime_FOUND AND NOT TARGET lsood::onnxruntime)
  add_library(lsood::onnxruntime UNKNOWN IMPORTED)
  set_target_properties(lsood::onnxruntime PROPERTIES IMPORTED_LOCATION ${ONNXRUNTIME_LIBRARY})
endif()
