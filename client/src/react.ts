'use client';

// Hooks and helpers for pages in React. They talk to the app's own route, which ai-worker-client/next makes, and never to the service.

export {useImageJob, type ImageJob, type ImageJobOptions} from './react/hook.js';
export {deleteJob, fetchJob, jobQueryOptions, listJobs, type FetchJobOptions, type ListJobsOptions} from './react/queries.js';
export type {ImageJobInput} from './react/session.js';
export {uploadPicture, type UploadPictureOptions} from './react/upload.js';
export type {ImageJobStatus, JobError, Picture} from './react/view.js';
export type {UserJob, UserJobInput, UserJobPage} from './userjob.js';
